"""Bad input has a defined answer that the decision states; only what leaves nothing to decide is an error."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal

import numpy as np
import pytest

from tests.builders.decisions import make_portfolio, make_state
from tests.builders.markets import ASSETS, CALENDAR, UNIVERSE, at, make_view, market_of, random_bars, vector
from trading_lib.decision import Decision, decide
from trading_lib.decision_config import DecisionConfig
from trading_lib.domain.book.orders import OrderPurpose, Side
from trading_lib.domain.book.portfolio import Portfolio
from trading_lib.domain.errors import UnknownSymbolError
from trading_lib.domain.market.instruments import Instrument, Universe
from trading_lib.domain.market.market_view import MarketView, view_at
from trading_lib.domain.market.prices import MacroSeries
from trading_lib.orders.pre_trade import deny_reason, pre_trade_context
from trading_lib.strategies.config import StrategySettings
from trading_lib.workflows.data.market import build_market

# Every built-in sleeve that needs no venue.
CONFIG = DecisionConfig(
    strategy=StrategySettings(
        sleeves={"trend": 0.25, "patient_trend": 0.25, "rotation": 0.25, "cross_sectional_momentum": 0.25}
    )
)
SESSION = date(2021, 3, 31)  # the last of its month, so that every sleeve decides


@pytest.fixture(scope="module")
def rising() -> MarketView:
    """Fifteen months of a wild market, looked at in a month's last session."""
    market = market_of(random_bars(date(2019, 12, 2), SESSION, 3, missing=0.0))
    return market.view(UNIVERSE, SESSION)


def decided(view: MarketView, portfolio: Portfolio | None = None) -> Decision:
    owned = portfolio or make_portfolio(100_000)
    return decide(view, owned, make_state(float(owned.nav)), CONFIG, "book")


def bought(decision: Decision) -> set[str]:
    return {order.symbol for order in decision.batch.orders if order.side is Side.BUY}


def wild_factors(view: MarketView, value: float) -> Mapping[str, np.ndarray]:
    return {name: np.full(ASSETS, value) for name in view.factors}


def test_the_market_of_these_tests_is_worth_buying(rising: MarketView) -> None:
    found = decided(rising)
    assert bought(found)
    assert not [event for event in found.assessment.events if event.kind == "sleeve_fault"]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_factors_that_are_no_numbers_are_bought_by_nobody(rising: MarketView, value: float) -> None:
    found = decided(replace(rising, factors=wild_factors(rising, value)))
    assert bought(found) == set()
    assert np.isfinite(found.assessment.weights).all()


def test_an_asset_without_prices_is_left_out_and_the_others_are_decided(rising: MarketView) -> None:
    usual = decided(rising)
    gone = next(iter(bought(usual)))
    column = at(gone)
    holes = {name: np.where(np.arange(ASSETS) == column, np.nan, values) for name, values in rising.factors.items()}
    close, fresh = rising.close.copy(), rising.fresh.copy()
    returns, common = rising.mark_returns.copy(), rising.common_returns.copy()
    close[column] = np.nan
    fresh[column] = False
    returns[:, column] = common[:, column] = np.nan
    view = replace(rising, close=close, fresh=fresh, factors=holes, mark_returns=returns, common_returns=common)
    found = decided(view)
    assert gone not in bought(found)
    assert bought(found)


def test_no_fresh_bar_at_all_clips_everything_to_zero_and_says_so(rising: MarketView) -> None:
    found = decided(replace(rising, fresh=np.zeros(ASSETS, dtype=np.bool_)))
    assert found.batch.orders == ()
    assert (found.targets.weights == 0).all()
    wanted = {UNIVERSE.symbols[i] for i in np.flatnonzero(found.targets.wanted > 0)}
    assert wanted
    assert all("no_new_bar" in found.targets.clips[symbol] for symbol in wanted)


def test_a_market_that_does_not_move_has_no_correlations_and_is_decided() -> None:
    """Zero variance and a singular covariance: no pair is known, so no floor and no pair cap."""
    view = make_view({"Momentum_60": np.full(ASSETS, 0.2), "SMA_20": np.full(ASSETS, 90.0)}, month_end=True)
    found = decided(view)
    assert np.isnan(found.assessment.average_correlation)
    assert found.assessment.effective_level == 0
    assert np.isfinite(found.assessment.weights).all()


def test_assets_that_move_as_one_are_level_2_and_decided(rising: MarketView) -> None:
    same = np.repeat(rising.common_returns[:, :1], ASSETS, axis=1)
    marks = np.repeat(rising.mark_returns[:, :1], ASSETS, axis=1)
    lag = np.zeros(ASSETS, dtype=np.int64)
    found = decided(replace(rising, common_returns=same, mark_returns=marks, common_lag=lag))
    assert found.assessment.effective_level == 2
    assert bought(found) == set()
    assert np.isfinite(found.targets.weights).all()


def test_one_asset_only_is_decided() -> None:
    lonely = UNIVERSE.select(("SPY",))
    bars = random_bars(date(2019, 12, 2), SESSION, 3, missing=0.0)
    market = build_market(bars, MacroSeries.empty(), lonely, CALENDAR)
    view = view_at(lonely, market.panel, market.factors, market.row(SESSION), SESSION)
    found = decided(view)
    assert found.assessment.weights.shape == (1,)
    assert np.isnan(found.assessment.average_correlation)
    assert 0 <= found.assessment.weights[0] <= 0.40


def test_without_the_volatility_index_the_regime_is_high_and_an_event_says_so(rising: MarketView) -> None:
    found = decided(replace(rising, volatility_index=np.nan, volatility_index_age=-1))
    assert found.regime.abstained
    assert [event.reason for event in found.assessment.events if event.kind == "regime"] == [
        "^VIX is missing: the regime is HIGH_VOL without ^VIX"
    ]


def test_negative_cash_buys_nothing_and_sells_to_restore_it(rising: MarketView) -> None:
    price = float(rising.close[at("SPY")])
    portfolio = make_portfolio(-3_000, SPY=("500", price, price), GLD=("600", 50, float(rising.close[at("GLD")])))
    found = decided(rising, portfolio)
    assert bought(found) == set()
    assert [event.kind for event in found.assessment.events].count("cash") == 1
    risk = [order for order in found.batch.orders if order.purpose is OrderPurpose.RISK]
    assert {order.symbol for order in risk} == {"SPY", "GLD"}
    proceeds = sum((order.expected_notional * Decimal("0.9985") for order in risk), Decimal(0))
    assert Decimal(3_000) <= proceeds < Decimal(3_400)
    assert all("to restore it" in order.reason for order in risk)


def retired(universe: Universe, symbol: str) -> Universe:
    return Universe(tuple(replace(i, retired=i.symbol == symbol) for i in universe))


@pytest.mark.parametrize("traded", [True, False])
def test_a_retired_asset_is_closed_and_never_bought(rising: MarketView, traded: bool) -> None:
    """Without a new price the order waits for one; the position keeps its last good price until then."""
    name = next(iter(bought(decided(rising))))
    fresh = rising.fresh.copy()
    fresh[at(name)] = traded
    view = replace(rising, universe=retired(UNIVERSE, name), fresh=fresh)
    price = float(rising.close[at(name)])
    holdings = {name.replace("-", "_"): ("10", price, price)}
    portfolio = make_portfolio(90_000, **holdings)
    found = decided(view, portfolio)
    (sale,) = [order for order in found.batch.orders if order.symbol == name]
    assert (sale.side, sale.purpose, sale.quantity) == (Side.SELL, OrderPurpose.RISK, Decimal(10))
    assert sale.reason == f"{name} is retired from the universe and is closed"
    assert [event.symbol for event in found.assessment.events if event.kind == "retired"] == [name]
    assert deny_reason(sale, pre_trade_context(view, portfolio, found.assessment, CONFIG.pre_trade)) is None
    again = decide(view, portfolio, found.assessment.next_state, CONFIG, "book")
    assert [order.symbol for order in again.batch.orders if order.symbol == name] == [name]
    assert not [event for event in again.assessment.events if event.kind == "retired"], "told once"
    assert name not in bought(decided(view))


def without(universe: Universe, symbol: str) -> tuple[Instrument, ...]:
    return tuple(i for i in universe if i.symbol != symbol)


def test_a_holding_that_was_deleted_from_the_universe_is_an_error_with_a_way_out() -> None:
    smaller = Universe(without(UNIVERSE, "VNQ"))
    view = replace(make_view(), universe=smaller)
    with pytest.raises(UnknownSymbolError, match=r"VNQ, which the universe no longer lists: .*retired: true"):
        decide(view, make_portfolio(1_000, VNQ=("1", 100, 100)), make_state(), CONFIG, "book")


def test_a_stop_of_an_asset_that_was_deleted_since_is_forgotten(rising: MarketView) -> None:
    state = make_state(cooling_off={"GONE": 3, "SPY": 3}, ceilings={"GONE": Decimal(1)}, halved=frozenset({"GONE"}))
    found = decide(rising, make_portfolio(100_000), state, CONFIG, "book")
    assert found.assessment.next_state.cooling_off == {"SPY": 2}
    assert "SPY" not in bought(found)
    assert found.assessment.next_state.halved == frozenset()


@pytest.mark.parametrize("nav", ["0", "-5000"])
def test_nothing_left_is_level_4_and_no_error(rising: MarketView, nav: str) -> None:
    found = decide(rising, make_portfolio(nav), make_state(100_000.0), CONFIG, "book")
    assert found.assessment.level == 4
    assert found.batch.orders == ()
    assert vector(0.0).sum() == found.assessment.weights.sum()
