"""Intelligent Trading System: one decision core for backtest, paper and live trading."""

__version__ = "0.1.0"
