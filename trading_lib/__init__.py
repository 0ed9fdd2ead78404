"""Intelligent Trading System: one decision core for backtest, paper and live trading.

The names below are the public interface (docs/research/python.md). Each is loaded when it is first used, so that
importing the package costs nothing.

>>> import trading_lib as tl
>>> result = tl.backtest(start="2018-01-02", end="2018-12-31")
>>> result.simulated
True
"""

from __future__ import annotations

import logging
import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trading_lib.api.backtest import StrategyWarning, backtest
    from trading_lib.api.explanation import Explanation
    from trading_lib.api.prices import Prices, load_prices
    from trading_lib.api.result import BacktestResult
    from trading_lib.api.stress import StressResult, stress
    from trading_lib.api.sweep import Sweep, sweep
    from trading_lib.domain.book.portfolio import Portfolio
    from trading_lib.domain.decision.risk import RiskState
    from trading_lib.domain.decision.sleeves import PlannedStrategy, SleeveEvent, SleeveTarget, SleeveView, Strategy
    from trading_lib.domain.errors import (
        ConfigurationError,
        DataFileError,
        InputError,
        SessionError,
        StrategyUnusableError,
        TradingError,
    )
    from trading_lib.domain.market.instruments import Universe
    from trading_lib.domain.market.market_view import MarketView

__version__ = "0.1.0"

__all__ = [
    "BacktestResult",
    "ConfigurationError",
    "DataFileError",
    "Explanation",
    "InputError",
    "MarketView",
    "PlannedStrategy",
    "Portfolio",
    "Prices",
    "RiskState",
    "SessionError",
    "SleeveEvent",
    "SleeveTarget",
    "SleeveView",
    "Strategy",
    "StrategyUnusableError",
    "StrategyWarning",
    "StressResult",
    "Sweep",
    "TradingError",
    "Universe",
    "backtest",
    "load_prices",
    "stress",
    "sweep",
]

# Where the imports above take each name from.
_HOMES = {
    "api.backtest": ("StrategyWarning", "backtest"),
    "api.explanation": ("Explanation",),
    "api.prices": ("Prices", "load_prices"),
    "api.result": ("BacktestResult",),
    "api.stress": ("StressResult", "stress"),
    "api.sweep": ("Sweep", "sweep"),
    "domain.errors": (
        "ConfigurationError",
        "DataFileError",
        "InputError",
        "SessionError",
        "StrategyUnusableError",
        "TradingError",
    ),
    "domain.market.instruments": ("Universe",),
    "domain.market.market_view": ("MarketView",),
    "domain.book.portfolio": ("Portfolio",),
    "domain.decision.risk": ("RiskState",),
    "domain.decision.sleeves": ("PlannedStrategy", "SleeveEvent", "SleeveTarget", "SleeveView", "Strategy"),
}
_HOME = {name: f"{__name__}.{module}" for module, names in _HOMES.items() for name in names}

# A library says nothing by itself: whoever embeds it decides what becomes of its records.
logging.getLogger(__name__).addHandler(logging.NullHandler())


class _Package(ModuleType):
    """The package as a module in which none of its parts takes a public name.

    Importing `trading_lib.backtest.engine` would put the package `trading_lib.backtest` in the place of the function.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in _HOME and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used (PEP 562)."""
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(import_module(home), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    """Names of the public interface, loaded or not."""
    return sorted({*globals(), *__all__})
