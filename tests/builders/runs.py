"""Backtests for tests: finished ones, and the compiled loop beside the slow path."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any

import numpy as np

from tests.builders.markets import CALENDAR, UNIVERSE, backtest_input, market_of, random_bars, random_macro
from trading_lib.backtest.compiled.run import Segment
from trading_lib.backtest.engine import BacktestResult, run_backtest
from trading_lib.decision import Decision
from trading_lib.decision_config import DecisionConfig
from trading_lib.domain.book.portfolio import Portfolio
from trading_lib.performance.metrics.measure import measure
from trading_lib.performance.run_record import RunRecord
from trading_lib.risk.config import LevelConfig, RiskConfig
from trading_lib.session.inputs import SessionInput
from trading_lib.strategies.config import SleeveConfig, StrategySettings, TrendConfig
from trading_lib.workflows.research.backtest import run_record

CRASHES = {date(2022, 2, 10): 0.93, date(2022, 5, 18): 0.90, date(2022, 9, 6): 0.95}

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


def market(seed: int = 5, **more: Any) -> SessionInput:
    """Everything a run depends on, on a made-up market of two years."""
    return backtest_input(market_of(random_bars(date(2021, 1, 4), LAST, seed=seed, **more)))


def changed(data: SessionInput, sleeves: dict[str, float] | None = None, **sections: dict[str, Any]) -> SessionInput:
    """The same market under another configuration."""
    config = DecisionConfig.model_validate({**data.config.model_dump(), **sections})
    if sleeves:
        listed = tuple(SleeveConfig(name=name, strategy=name, budget=budget) for name, budget in sleeves.items())
        config = config.model_copy(update={"strategy": StrategySettings(sleeves=listed)})
    return replace(data, config=config)


def slow_path(data: SessionInput, first: date = FIRST, last: date = LAST) -> BacktestResult:
    """The run that decides session by session on objects."""
    return run_backtest(data, first, last, lambda day, decision, portfolio: None)


def assert_same(one: BacktestResult, other: BacktestResult) -> None:
    """Hold that two runs are equal to the last bit."""
    for name in ("sessions", "nav", "invested", "levels", "regimes", "quantity", "funding"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
    assert one.sleeves.keys() == other.sleeves.keys()
    for name, owned in one.sleeves.items():
        np.testing.assert_array_equal(owned, other.sleeves[name], err_msg=name)
    assert one.orders == other.orders
    assert one.order_count == len(other.orders)
    assert one.fills == other.fills
    assert one.cancelled == other.cancelled
    assert one.events == other.events
    # When what an event told has ended is no part of its equality.
    assert [event.resolved_session for event in one.events] == [event.resolved_session for event in other.events]
    assert one.denied == other.denied
    assert one.portfolio == other.portfolio
    assert one.risk == other.risk
    for name in (field.name for field in fields(one.cuts)):
        np.testing.assert_array_equal(getattr(one.cuts, name), getattr(other.cuts, name), err_msg=name)
    no_rate = np.zeros(len(one.nav))
    assert measure(one.nav, one.trades, no_rate) == measure(other.nav, other.fills, no_rate)


def sessions_in_loop(result: BacktestResult) -> int:
    """Sessions that the compiled loop traded."""
    return sum(part.stop - part.first for part in result.run.parts if isinstance(part, Segment))


def with_openings(data: SessionInput, wrong: float, gap: float, seed: int) -> SessionInput:
    """The market with a share of its openings off by a factor, and the others above the close before, range and all."""
    generator = np.random.default_rng(seed)
    shape = data.panel.fill_open.shape
    factor = np.where(generator.random(shape) < wrong, generator.choice([0.01, 0.1, 0.9, 1.1, 10.0], shape), 1.0)
    higher = 1.0 + gap * generator.random(shape)
    panel = replace(
        data.panel,
        fill_open=(data.panel.fill_open * higher * factor).round(4),
        fill_low=(data.panel.fill_low * higher).round(4),
        fill_high=(data.panel.fill_high * higher).round(4),
    )
    return replace(data, panel=panel)


# Half the usual bounds and no volatility target of the sleeve, so that a run meets every level more than once.
WILD_CONFIG = DecisionConfig(
    strategy=StrategySettings(trend=TrendConfig(target_volatility=1.0)),
    risk=RiskConfig(levels=LevelConfig(drawdowns=(0.025, 0.04, 0.06, 0.075))),
)
WILD_FIRST, WILD_LAST = date(2020, 1, 2), date(2022, 12, 30)
WILD_CRASHES = {date(2021, 2, 10): 0.92, date(2021, 5, 12): 0.86, date(2021, 10, 13): 0.93, date(2022, 3, 9): 0.88}


@dataclass(frozen=True)
class WildRun:
    """A backtest on a wild market, with every decision and the portfolio it began from, and every split."""

    result: BacktestResult
    decisions: list[tuple[date, Decision, Portfolio]]
    splits: list[tuple[date, str, Decimal]]


@cache
def wild_run(seed: int) -> WildRun:
    """A run of 26 months through four crashes."""
    market = market_of(random_bars(WILD_FIRST, WILD_LAST, seed, daily_volatility=0.03, crashes=WILD_CRASHES))
    decisions: list[tuple[date, Decision, Portfolio]] = []
    data = backtest_input(market, WILD_CONFIG)
    result = run_backtest(data, date(2020, 11, 2), WILD_LAST, lambda *seen: decisions.append(seen))
    panel = market.panel
    splits = [
        (panel.sessions[row].item(), panel.symbols[i], Decimal(repr(float(panel.split[row, i]))))
        for row, i in zip(*np.nonzero(panel.split != 1.0), strict=True)
    ]
    return WildRun(result, decisions, splits)
