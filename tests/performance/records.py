"""Finished runs for the tests of attribution, tables and the tear sheet."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from functools import cache
from typing import Any

import numpy as np

from tests.market_builders import CALENDAR, UNIVERSE, backtest_input, market_of, random_bars, random_macro
from trading_lib.backtest.engine import BacktestResult, run_backtest
from trading_lib.performance.run_record import RunRecord
from trading_lib.workflows.research.backtest import run_record

FIRST, LAST = date(2021, 11, 1), date(2022, 12, 30)


@cache
def finished_run(seed: int = 9) -> tuple[BacktestResult, RunRecord]:
    """A run over dividends, a split, missing bars and a coin, with some hundred trades."""
    start = date(2020, 11, 2)
    market = market_of(random_bars(start, LAST, seed), random_macro(start, LAST, seed))
    data = backtest_input(market)
    result = run_backtest(data, FIRST, LAST)
    return result, run_record(data, result)


def quiet_record(sessions: int = 30, **changes: Any) -> RunRecord:
    """A record in which nothing was held and nothing happened, unless told otherwise."""
    days = CALENDAR.between(date(2023, 1, 3), date(2024, 1, 3))[:sessions]
    assets = len(UNIVERSE)
    flat = np.full((sessions, assets), 100.0)
    record = RunRecord(
        universe=UNIVERSE,
        sessions=days,
        nav=np.full(sessions, 1000.0),
        invested=np.zeros(sessions),
        levels=np.zeros(sessions, np.int8),
        regimes=np.zeros(sessions, np.int8),
        quantity=np.zeros((sessions, assets)),
        sleeves={},
        orders=tuple,
        fills=(),
        events=tuple,
        close=flat,
        mark_return=np.zeros((sessions, assets)),
        dividend=np.zeros((sessions, assets)),
        split=np.ones((sessions, assets)),
        cash_rate=np.zeros(sessions),
        month_end=CALENDAR.month_ends(days),
    )
    return replace(record, **changes)
