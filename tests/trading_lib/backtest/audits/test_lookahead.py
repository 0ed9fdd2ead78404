"""Nothing peeks: decisions up to a session are the same to the last bit when history ends there.

See docs/specification.md#lookahead-audit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.builders.markets import CALENDAR, UNIVERSE, backtest_input, market_of, random_bars, random_macro
from trading_lib.adapters.sources.files.source import FileSource
from trading_lib.backtest.engine import run_backtest
from trading_lib.decision import Decision
from trading_lib.domain.book.portfolio import Portfolio
from trading_lib.domain.market.prices import VOLATILITY_INDEX, Bars, MacroSeries
from trading_lib.workflows.data.market import Market

# The engine over and over: other tests measure its coverage, tracing would only take time.
pytestmark = pytest.mark.no_cover

Build = Callable[[Bars, MacroSeries, date], Market]
Record = dict[date, tuple[object, ...]]


def honest(bars: Bars, macro: MacroSeries, last: date) -> Market:
    return market_of(bars, macro, last)


def peeking(bars: Bars, macro: MacroSeries, last: date) -> Market:
    """Factors of the next session, as a careless shift would give them."""
    market = market_of(bars, macro, last)
    values = np.full_like(market.factors.values, np.nan)
    values[:, :-1] = market.factors.values[:, 1:]
    return Market(market.panel, replace(market.factors, values=values))


def adjusting_backwards(bars: Bars, macro: MacroSeries, last: date) -> Market:
    """Closes adjusted with the dividends that were still to come, as vendors' adjusted prices are."""
    market = market_of(bars, macro, last)
    scale = market.factors.price_factor[np.isfinite(market.factors.price_factor).all(axis=1)][-1]
    return Market(market.panel, replace(market.factors, total_return_close=market.factors.total_return_close / scale))


def decisions(market: Market, first: date, last: date) -> Record:
    """Everything a session decided, floats as bytes."""
    record: Record = {}

    def keep(day: date, decision: Decision, portfolio: Portfolio) -> None:
        assessment = decision.assessment
        arrays = (
            decision.signals.codes,
            decision.signals.confidence,
            decision.targets.wanted,
            decision.targets.weights,
            decision.targets.correlations,
            assessment.weights,
            assessment.may_increase,
            assessment.ceilings,
        )
        record[day] = (
            *(array.tobytes() for array in arrays),
            decision.regime.regime,
            repr(decision.regime.volatility_index),
            assessment.effective_level,
            repr(assessment.model_volatility),
            assessment.next_state.reference_peak,
            decision.batch.orders,
            portfolio.nav,
        )

    run_backtest(backtest_input(market), first, last, keep)
    return record


def known_at(frame: pd.DataFrame, moment: datetime) -> pd.DataFrame:
    return frame[frame["available_at"] <= pd.Timestamp(moment)].reset_index(drop=True)


def first_difference(build: Build, bars: Bars, macro: MacroSeries, first: date, last: date, cut: date) -> date | None:
    """First session up to ``cut`` decided differently when only what was known at its decision is given."""
    whole = decisions(build(bars, macro, last), first, cut)
    moment = CALENDAR.decision_time(cut)
    less = build(Bars(known_at(bars.frame, moment)), MacroSeries(known_at(macro.frame, moment)), cut)
    shorter = decisions(less, first, cut)
    assert whole.keys() == shorter.keys()
    assert any(order for record in whole.values() for order in record[-2])  # type: ignore[attr-defined]
    return next((day for day in whole if whole[day] != shorter[day]), None)


FIRST, LAST = date(2020, 1, 2), date(2022, 6, 30)
START = date(2020, 11, 2)


def random_cuts(seed: int, count: int) -> list[date]:
    sessions = CALENDAR.between(date(2021, 1, 4), date(2022, 6, 29)).astype(object)
    return [date.fromisoformat(str(day)) for day in np.random.default_rng(seed).choice(sessions, count, replace=False)]


@pytest.mark.parametrize("seed", [11, 12, 13])
def test_cutting_made_up_history_changes_no_decision_before_the_cut(seed: int) -> None:
    bars, macro = random_bars(FIRST, LAST, seed, daily_volatility=0.016), random_macro(FIRST, LAST, seed)
    for cut in random_cuts(seed, 4):
        assert first_difference(honest, bars, macro, START, LAST, cut) is None


def test_cutting_at_a_half_day_and_around_a_weekend_changes_nothing() -> None:
    bars, macro = random_bars(FIRST, LAST, 21), random_macro(FIRST, LAST, 21)
    for cut in (date(2021, 11, 26), date(2022, 1, 14), date(2022, 1, 18)):
        assert first_difference(honest, bars, macro, START, LAST, cut) is None


@pytest.mark.parametrize("build", [peeking, adjusting_backwards])
def test_a_planted_peek_is_found(build: Build) -> None:
    bars, macro = random_bars(FIRST, LAST, 11), random_macro(FIRST, LAST, 11)
    found = [first_difference(build, bars, macro, START, LAST, cut) for cut in random_cuts(5, 4)]
    assert any(day is not None for day in found)


@pytest.mark.parametrize("cut", [date(2018, 12, 24), date(2020, 3, 16), date(2021, 11, 26), date(2022, 6, 15)])
def test_cutting_real_history_changes_no_decision_before_the_cut(shared_market_data: Path, cut: date) -> None:
    source = FileSource(shared_market_data, UNIVERSE)
    first, last = date(2016, 6, 1), date(2022, 12, 30)
    as_of = CALENDAR.decision_time(last)
    bars = source.bars([*UNIVERSE.symbols, VOLATILITY_INDEX], first, last, as_of).bars
    macro = source.macro(first, last, as_of)
    assert first_difference(honest, bars, macro, date(2017, 6, 1), last, cut) is None
