"""Intelligent Trading System: one decision core for backtest, paper and live trading."""

import logging

__version__ = "0.1.0"

# A library says nothing by itself: whoever embeds it decides what becomes of its records.
logging.getLogger(__name__).addHandler(logging.NullHandler())
