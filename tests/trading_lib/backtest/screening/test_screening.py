"""Screening: the rules without a book against the engine, and vectorbt's values against arithmetic by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from importlib.util import find_spec

import numpy as np
import pytest

from tests.builders.markets import UNIVERSE, at, backtest_input, market_of, random_bars
from tests.environment.interpreted import interpreted
from trading_lib.backtest.compiled import run
from trading_lib.backtest.engine import run_backtest
from trading_lib.backtest.screening import vectorbt_screen as screening
from trading_lib.backtest.screening.target_plan import ScreeningPlan, plan_window, screened_sleeves
from trading_lib.backtest.screening.vectorbt_screen import INITIAL_CASH, screen_plans, screening_prices
from trading_lib.decision_config import DecisionConfig
from trading_lib.domain.errors import InputError
from trading_lib.performance.metrics.formulas import max_drawdown, sharpe_ratio
from trading_lib.session.inputs import SessionInput
from trading_lib.session.window import window_rows
from trading_lib.strategies.config import SleeveConfig, StrategySettings

# Importing vectorbt takes many seconds, and collecting tests must not.
needs_vectorbt = pytest.mark.skipif(find_spec("vectorbt") is None, reason="vectorbt is not installed")
FIRST, LAST = date(2021, 1, 4), date(2022, 12, 30)


@pytest.fixture(scope="module")
def data() -> SessionInput:
    """Dividends, a split, missing bars, a late start and Bitcoin."""
    return backtest_input(market_of(random_bars(date(2020, 1, 2), LAST, seed=2)))


@pytest.fixture(scope="module")
def rows(data: SessionInput) -> range:
    return window_rows(data.panel, data.calendar, FIRST, LAST)


def with_sleeves(data: SessionInput, **budgets: float) -> SessionInput:
    listed = tuple(SleeveConfig(name=name, strategy=name, budget=budget) for name, budget in budgets.items())
    return replace(data, config=DecisionConfig().model_copy(update={"strategy": StrategySettings(sleeves=listed)}))


@needs_vectorbt
def test_two_assets_by_hand(data: SessionInput, rows: range) -> None:
    """Half in SPY and 30 % in TLT, which pay dividends; a year on everything goes into SPY's place."""
    spy, tlt, year = at("SPY"), at("TLT"), 250
    orders = np.full((len(rows), len(UNIVERSE)), np.nan)
    prices = screening_prices(data, rows)
    spy_open, tlt_open = prices.opening[:, spy], prices.opening[:, tlt]
    bought = int(np.flatnonzero(np.isfinite(spy_open[1:]) & np.isfinite(tlt_open[1:]))[0]) + 1
    sold = int(np.flatnonzero(np.isfinite(tlt_open[year:]))[0]) + year
    orders[bought - 1, [spy, tlt]] = 0.5, 0.3
    orders[sold - 1, tlt] = 0.0
    figures = screen_plans(data, rows, [ScreeningPlan(orders, orders)])[0]

    fee, slip = 0.001, 0.0005
    spy_units, tlt_units = 0.5 * INITIAL_CASH / spy_open[bought], 0.3 * INITIAL_CASH / tlt_open[bought]
    cash = INITIAL_CASH * (1.0 - 0.8 * (1 + slip) * (1 + fee))
    nav = np.full(len(rows), INITIAL_CASH)
    held = cash + spy_units * prices.close[:, spy] + tlt_units * prices.close[:, tlt]
    nav[bought:sold] = held[bought:sold]
    proceeds = tlt_units * tlt_open[sold] * (1 - slip)
    nav[sold:] = cash + proceeds * (1 - fee) + spy_units * prices.close[sold:, spy]
    traded = INITIAL_CASH * 0.8 * (1 + slip) + proceeds

    np.testing.assert_allclose(figures.nav, nav, rtol=1e-12)
    rate = np.nan_to_num(data.panel.cash_rate[rows.start : rows.stop])
    assert figures.sharpe == pytest.approx(sharpe_ratio(nav[1:] / nav[:-1] - 1, rate[:-1]), rel=1e-9)
    assert figures.max_drawdown == pytest.approx(max_drawdown(nav), rel=1e-9)
    assert figures.annual_return == pytest.approx((nav[-1] / nav[0]) ** (252 / (len(nav) - 1)) - 1, rel=1e-9)
    assert figures.monthly_turnover == pytest.approx(traded / 2 / nav.mean() / ((len(nav) - 1) / 21), rel=1e-9)


def test_prices_hold_dividends_and_hide_splits(data: SessionInput, rows: range) -> None:
    prices, window = screening_prices(data, rows), slice(rows.start, rows.stop)
    assert (data.panel.split[window] != 1).any()
    # A split would show as an opening far from the close before it.
    overnight = prices.opening[1:] / prices.close[:-1] - 1.0
    assert np.nanmax(np.abs(overnight[:, at("XLE")])) < 0.1
    raw = data.panel.close[rows.stop - 1, at("SPY")] / data.panel.close[rows.start, at("SPY")]
    assert prices.close[-1, at("SPY")] > raw * 1.01


@needs_vectorbt
def test_a_batch_gives_what_each_plan_gives_alone(
    data: SessionInput, rows: range, monkeypatch: pytest.MonkeyPatch
) -> None:
    plans = [
        plan_window(with_sleeves(data, **{name: 1.0}), rows)
        for name in ("trend", "rotation", "cross_sectional_momentum")
    ]
    together = screen_plans(data, rows, plans)
    monkeypatch.setattr(screening, "plans_per_batch", lambda sessions, assets: 1)
    for one, other in zip(together, screen_plans(data, rows, plans), strict=True):
        np.testing.assert_array_equal(one.nav, other.nav)
        assert one.monthly_turnover == other.monthly_turnover
    assert len({one.sharpe for one in together}) == 3


@needs_vectorbt
@pytest.mark.parametrize("budgets", [{"trend": 0.5, "rotation": 0.5}, {"cross_sectional_momentum": 1.0}])
def test_the_engine_comes_to_nearly_the_same(data: SessionInput, rows: range, budgets: dict[str, float]) -> None:
    """In quiet years risk control has little to do, and what is left apart are lots, day limits and cents."""
    chosen = with_sleeves(data, **budgets)
    figures = screen_plans(chosen, rows, [plan_window(chosen, rows)])[0]
    engine = run_backtest(chosen, FIRST, LAST).nav
    own, other = np.diff(np.log(figures.nav)), np.diff(np.log(engine))
    assert np.corrcoef(own, other)[0, 1] > 0.95
    # A day late or early, the two would have little in common.
    assert abs(np.corrcoef(own[1:], other[:-1])[0, 1]) < 0.5


def test_weights_keep_to_the_portfolio_limits_and_never_peek(data: SessionInput, rows: range) -> None:
    plan = plan_window(data, rows)
    assert (plan.targets >= 0).all()
    assert (plan.targets <= UNIVERSE.max_weights + 1e-12).all()
    assert (plan.targets.sum(axis=1) <= 0.95 + 1e-12).all()
    assert (plan.targets.sum(axis=1) > 0.2).any()
    shorter = plan_window(data, range(rows.start, rows.stop - 100))
    np.testing.assert_array_equal(shorter.targets, plan.targets[:-100])
    # After the last session nobody knows whether there will be an opening.
    np.testing.assert_array_equal(shorter.orders[:-1], plan.orders[:-101])


def test_orders_wait_for_the_threshold(data: SessionInput, rows: range) -> None:
    plan = plan_window(data, rows)
    config = data.config.model_copy(
        update={"orders": data.config.orders.model_copy(update={"rebalance_threshold": 0.0})}
    )
    eager = plan_window(replace(data, config=config), rows)
    assert 0 < np.isfinite(plan.orders).sum() < np.isfinite(eager.orders).sum() / 5


def test_stretches_and_plain_python_change_nothing(
    data: SessionInput, rows: range, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = range(rows.start, rows.start + 90)
    whole = plan_window(data, short)
    monkeypatch.setattr(run, "SEGMENT_BYTES", 8 * 15 * (15 + 20 + 20) * 31)
    np.testing.assert_array_equal(plan_window(data, short).targets, whole.targets)
    with interpreted():
        plain = plan_window(data, short)
    np.testing.assert_allclose(plain.targets, whole.targets, rtol=1e-12, atol=1e-15)
    np.testing.assert_array_equal(np.isnan(plain.orders), np.isnan(whole.orders))


def test_a_sleeve_that_needs_the_book_is_refused(data: SessionInput) -> None:
    with pytest.raises(InputError, match="'carry' cannot be screened"):
        screened_sleeves(with_sleeves(data, trend=0.9, carry=0.1))
