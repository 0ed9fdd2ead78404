"""Assets without a price for too long: what risk control and the orders still do with them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import numpy as np
import pytest

from tests.builders.decisions import (
    make_assessment,
    make_portfolio,
    make_regime,
    make_signals,
    make_state,
    make_targets,
)
from tests.builders.markets import SESSION, UNIVERSE, make_view
from trading_lib.decision import held_weights
from trading_lib.domain.book.portfolio import Portfolio
from trading_lib.domain.decision.risk import RiskAssessment, RiskState
from trading_lib.domain.market.market_view import MarketView
from trading_lib.orders.config import OrderConfig
from trading_lib.orders.generate import generate_orders
from trading_lib.risk.assess import assess_risk
from trading_lib.risk.config import RiskConfig

CONFIG = RiskConfig()
SPY = UNIVERSE.positions["SPY"]
OLD = SESSION - timedelta(days=30)


def view_with(age: int, day: date = OLD) -> MarketView:
    view = make_view()
    ages, days, fresh = view.price_age.copy(), view.price_day.copy(), view.fresh.copy()
    ages[SPY], days[SPY], fresh[SPY] = age, np.datetime64(day), age == 0
    return replace(view, price_age=ages, price_day=days, fresh=fresh)


def assessed(view: MarketView, portfolio: Portfolio, state: RiskState | None = None) -> RiskAssessment:
    held = held_weights(UNIVERSE, portfolio)
    wanted = held.copy()
    wanted[SPY] += 0.1
    signals, before = make_signals(1), state or make_state(float(portfolio.nav))
    return assess_risk(view, make_regime(), signals, make_targets(wanted), held, portfolio, before, CONFIG)


@pytest.mark.parametrize(("age", "retired"), [(-1, False), (0, False), (19, False), (20, True), (500, True)])
def test_the_configured_number_of_sessions_decides(age: int, retired: bool) -> None:
    found = assessed(view_with(age), make_portfolio(90_000, SPY=(100, 100, 100)))
    assert found.next_state.retired == ({"SPY"} if retired else frozenset())
    assert ("retired" in found.clips.get("SPY", ())) is retired
    assert found.may_increase[SPY] == (age == 0)


def test_it_is_told_when_it_begins_and_when_it_ends_and_not_in_between() -> None:
    portfolio = make_portfolio(90_000, SPY=(100, 100, 100))
    first = assessed(view_with(20), portfolio)
    (event,) = first.events
    assert (event.kind, event.symbol, event.actions) == ("retired", "SPY", ("BLOCK_BUYS", "HOLD_ORDERS"))
    assert event.reason.startswith(f"SPY has had no price since {OLD}, for 20 sessions")
    assert assessed(view_with(21), portfolio, first.next_state).events == ()
    (event,) = assessed(view_with(0, SESSION), portfolio, first.next_state).events
    assert (event.kind, event.symbol) == ("price_returned", "SPY")
    assert event.reason == f"SPY has a price again, of {SESSION}: it is no longer retired"


@pytest.mark.parametrize(("age", "stopped"), [(19, True), (20, False), (0, True)])
def test_a_stop_is_not_judged_on_the_mark_of_a_retired_asset(age: int, stopped: bool) -> None:
    found = assessed(view_with(age), make_portfolio(90_000, SPY=(100, 100, 75)))
    assert ("stop_exit" in {event.kind for event in found.events}) is stopped


@pytest.mark.parametrize(("age", "share"), [(0, Decimal("500") / 20_000), (20, Decimal("500") / 10_000)])
def test_negative_cash_is_restored_by_what_can_be_sold(age: int, share: Decimal) -> None:
    found = assessed(view_with(age), make_portfolio(-500, SPY=(100, 100, 100), GLD=(100, 100, 100)))
    left = found.ceilings[UNIVERSE.positions["GLD"]]
    assert left == pytest.approx(float(100 * (1 - share)), abs=1.1)
    assert np.isfinite(found.ceilings[SPY]) == (age == 0)


@pytest.mark.parametrize("retired", [False, True])
def test_neither_a_ceiling_nor_a_target_sends_an_order_of_a_retired_asset(retired: bool) -> None:
    portfolio = make_portfolio(50_000, SPY=(300, 100, 100), GLD=(200, 100, 100))
    view, held = view_with(30 if retired else 0), held_weights(UNIVERSE, portfolio)
    ceilings = np.full(len(UNIVERSE), np.inf)
    ceilings[SPY] = 100.0
    state = replace(make_state(), retired=frozenset({"SPY"} if retired else ()))
    by_ceiling = make_assessment(held, ceilings=ceilings, ceiling_reasons={"SPY": "a stop"}, next_state=state)
    by_target = make_assessment(np.where(np.arange(len(held)) == SPY, 0.0, held), next_state=state)
    for assessment in (by_ceiling, by_target):
        batch = generate_orders(view, make_signals(1), assessment, held, portfolio, "book", OrderConfig())
        assert [order.symbol for order in batch.orders] == ([] if retired else ["SPY"])
        assert batch.skipped.get("SPY") == (f"retired: no price since {OLD}" if retired else None)
