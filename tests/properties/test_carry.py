"""Carry alone lives from funding, whatever prices and rates do: both legs are equal, and no price makes a profit."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders.carry import carry_config, carry_input, carry_market, joined, rates_of
from trading_lib.accounting.reconcile import unexplained_differences
from trading_lib.backtest.engine import run_backtest
from trading_lib.decision import Decision
from trading_lib.domain.book.portfolio import Portfolio

FIRST, START, LAST = date(2021, 1, 4), date(2021, 2, 16), date(2021, 3, 24)
DAYS = (LAST - FIRST).days + 2


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.floats(0.0, 0.15),
    st.sampled_from([1, 4, 8]),
    st.floats(0.0, 0.2),
    st.sampled_from([("binance",), ("binance", "bybit")]),
    st.sampled_from([1.0, 0.15]),
)
def test_both_legs_are_equal_and_profit_is_funding_less_costs(
    seed: int, swing: float, interval: int, gaps: float, venues: tuple[str, ...], budget: float
) -> None:
    generator = np.random.default_rng(seed)
    levels = 20_000 * np.exp(np.cumsum(generator.normal(0, swing, DAYS)).clip(-1.5, 1.5))
    level = generator.choice([0.0003, -0.0003, 0.0], DAYS)

    def rate(moment: datetime) -> float:
        if generator.random() < gaps:
            return np.nan
        drawn = level[(moment.date() - FIRST).days] + generator.normal(0, 0.0002)
        return float(np.clip(drawn, -0.003, 0.003)) * interval / 8

    config = carry_config(allowed_venues=venues)
    hours = range(0, 24, interval)
    rates = joined(*(rates_of(FIRST, LAST, rate, venue, hours) for venue in venues))
    closed = [date(2021, 2, 18), date(2021, 3, 2)] if gaps > 0.1 else []
    market = carry_market(FIRST, LAST, lambda day: float(levels[(day - FIRST).days].round(2)), rates, config, closed)
    data = carry_input(market, config, {"carry": budget})
    seen: list[tuple[Decision, Portfolio]] = []
    result = run_backtest(data, START, LAST, lambda _, decision, portfolio: seen.append((decision, portfolio)))
    trades = len(result.fills)
    for decision, portfolio in seen:
        spot = portfolio.positions.get("BTC-USD")
        assert portfolio.hedged == (spot.quantity if spot else 0)
        assert all(position.quantity < 0 for position in portfolio.perpetuals.values())
        booked = Decimal(100_000) + portfolio.funding - portfolio.costs
        # Nothing but rounding to the cent, of every fill and of the mark.
        assert portfolio.nav == pytest.approx(booked, abs=Decimal("0.02") * (trades + 1))
        target = decision.targets.sleeves["carry"].target
        assert sum(target.hedges.values()) * budget <= 0.10 + 1e-9
        assert max(target.hedges.values(), default=0.0) * budget <= 0.08 + 1e-9
        assert portfolio.cash >= portfolio.hedged * portfolio.marks.get("BTC-USD", Decimal(0))
    assert result.denied == ()
    assert data.funding is not None
    settlements = [s for row in data.funding.settlements for s in row]
    known = [s for s in settlements if s.settled_at.date() >= START]
    assert unexplained_differences(result.portfolio, data.initial_cash, result.fills, (), known) == []
