"""`trading_lib.backtest`: the engine of the command line, on prices and with a strategy given in Python."""

from __future__ import annotations

import time
import warnings
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from os import PathLike
from typing import Any

from trading_lib.adapters.sources.files.flows import read_flows
from trading_lib.api.days import Day, day_of
from trading_lib.api.prices import Prices, load_prices, path_of
from trading_lib.api.result import BacktestResult
from trading_lib.api.setup import RUNNING, Setup
from trading_lib.api.strategies import StrategyLike
from trading_lib.domain.errors import InputError
from trading_lib.workflows.research.backtest import backtest_source, refuse_inverted


class StrategyWarning(UserWarning):
    """A strategy failed in some sessions and kept its previous target, or did something besides deciding."""


PricesLike = Prices | str | PathLike[str] | None


def backtest(
    prices: PricesLike = None,
    strategy: StrategyLike = None,
    start: Day | None = None,
    end: Day | None = None,
    config: Mapping[str, Any] | None = None,
    *,
    initial_cash: int | float | str | Decimal | None = None,
    flows: str | PathLike[str] | None = None,
) -> BacktestResult:
    """Run a strategy over past sessions and return what paper trading would have done, costs included.

    It is ``trading backtest``: orders, fills and values are the same to the cent. Nothing is written, no database,
    Airflow or MLflow is needed, and no record of the run is kept.

    Parameters
    ----------
    prices
        What `load_prices` returned, or a folder for it; None takes its default, as shipped the simulated market.
    strategy
        What decides:

        - None: the sleeves of strategy.yaml
        - a name such as "trend", or ``file.py:Class`` in the working folder or in include/strategies
        - a class with a method ``plan(view)`` or ``target(view, sleeve)``, see `Strategy` and `PlannedStrategy`; it is
          constructed for the run
        - an object of such a class; the run has a copy of it
        - several sleeves: name -> budget, or name -> ``{"strategy": ..., "budget": ..., "options": {...}}``, where the
          strategy is any of the above
    start, end
        First and last day, "YYYY-MM-DD" or a date; by default the window of ``prices``.
    config
        Values in the place of those in strategy.yaml, risk.yaml and execution.yaml, as a sweep's point
        ``{"risk.target_volatility": 0.1}`` or nested as in the files.
    initial_cash
        Dollars the book is opened with, in whole cents.
    flows
        CSV or YAML file of deposits and withdrawals (docs/research/backtest.md).

    Returns
    -------
    BacktestResult
        With `BacktestResult.metrics`, `BacktestResult.orders`, `BacktestResult.fills`, `BacktestResult.values`.

    Raises
    ------
    SessionError
        When the data does not cover the window.
    ConfigurationError
        When a value, a key or the strategy is none.
    StrategyUnusableError
        When the strategy failed in every session it was asked in; names the line of its code.
    DataQualityError
        When the value of the book fell to zero.

    Warns
    -----
    StrategyWarning
        When the strategy failed in some of the sessions, or read files, the network or the like.

    Examples
    --------
    >>> import trading_lib as tl
    >>> result = tl.backtest(strategy={"trend": 1.0}, start="2018-01-02", end="2018-12-31")
    >>> result.metrics["sessions"]
    251
    """
    started = time.perf_counter()
    setup = Setup.of(strategy, config, initial_cash)
    file = path_of(flows, "flows")
    with RUNNING:
        used = prices_of(prices, start, end)
        settings = setup.settings()
        first, last = window_of(used, start, end)
        loaded = used.loaded(settings, last)
        moved = read_flows(file, settings.configuration.accounts) if file is not None else ()
        run = backtest_source(settings, loaded, first, last, used.folder, flows=moved)
    run.report["elapsed_seconds"] = round(time.perf_counter() - started, 4)
    result = BacktestResult(run, used, setup, moved)
    for line in result.warnings:
        warnings.warn(line, StrategyWarning, stacklevel=2)
    return result


def prices_of(given: PricesLike, start: Day | None = None, end: Day | None = None) -> Prices:
    """Return the prices of a run, loaded where a folder or nothing was given."""
    if isinstance(given, Prices):
        return given
    if given is None or isinstance(given, str | PathLike):
        return load_prices(given, start=start, end=end)
    raise InputError(f"prices of type {type(given).__name__} are none", "give what load_prices returned, or a folder")


def window_of(prices: Prices, start: Day | None, end: Day | None) -> tuple[date, date]:
    """Return first and last day of a run: those given, else the window of the prices."""
    first = day_of(start, "start") if start is not None else prices.window[0]
    last = day_of(end, "end") if end is not None else prices.window[1]
    refuse_inverted(first, last)
    return first, last
