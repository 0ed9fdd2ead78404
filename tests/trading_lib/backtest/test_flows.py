"""Capital in a backtest: the loop beside the slow path, vectorbt's accounts, and drawdown that no flow moves."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from functools import cache
from importlib.util import find_spec

import numpy as np
import pytest

from tests.builders.markets import CALENDAR, backtest_input, market_of, random_bars
from tests.builders.runs import FIRST, LAST, assert_same, sessions_in_loop, slow_path
from trading_lib.backtest.audits.independent_nav import independent_nav, largest_difference
from trading_lib.backtest.engine import run_backtest
from trading_lib.domain.book.flows import Flow
from trading_lib.domain.errors import InputError
from trading_lib.session.inputs import SessionInput

CAME, WENT = CALENDAR.offset(FIRST, 30), CALENDAR.offset(FIRST, 80)


@cache
def market() -> SessionInput:
    return backtest_input(market_of(random_bars(date(2021, 1, 4), LAST, seed=5)))


def moved(*flows: Flow) -> SessionInput:
    return replace(market(), flows=flows)


def came(amount: str, session: date = CAME) -> Flow:
    return Flow(session, Decimal(amount), target="main")


def went(amount: str, session: date = WENT) -> Flow:
    return Flow(session, Decimal(amount), source="main")


def test_the_loop_and_the_slow_path_are_the_same() -> None:
    data = moved(came("50000"), went("40000"), came("0.01", WENT))
    loop, slow = run_backtest(data, FIRST, LAST), slow_path(data)
    assert_same(loop, slow)
    assert sessions_in_loop(loop) > 0.9 * len(loop.nav)
    for result in (loop, slow):
        held = result.portfolio
        assert (held.deposits, held.withdrawals) == (Decimal("50000.01"), 40000)
        assert result.nav[-1] / result.adjusted_nav[-1] == pytest.approx(held.capital_factor)


@pytest.mark.skipif(find_spec("vectorbt") is None, reason="vectorbt is not installed")
def test_other_software_comes_to_the_same_value() -> None:
    data = moved(came("50000"), went("40000"))
    result = run_backtest(data, FIRST, LAST)
    assert largest_difference(result.nav, independent_nav(data, result)) < 1e-7
    assert largest_difference(result.nav, independent_nav(replace(data, flows=()), result)) > 0.05


def test_a_flow_counts_from_the_opening_and_leaves_decisions_before_it_alone() -> None:
    plain, richer = run_backtest(market(), FIRST, LAST), run_backtest(moved(came("50000")), FIRST, LAST)
    at = int(np.searchsorted(plain.sessions, np.datetime64(CAME)))
    assert (plain.nav[:at] == richer.nav[:at]).all()
    # What was ordered at the previous close fills as it would have: there was cash for it.
    assert richer.nav[at] == pytest.approx(plain.nav[at] + 50000, abs=0.01)
    assert richer.flows is not None
    assert richer.flows.nonzero()[0].tolist() == [at]


def test_no_flow_is_a_drawdown_for_risk_control() -> None:
    plain, poorer = run_backtest(market(), FIRST, LAST), run_backtest(moved(went("60000")), FIRST, LAST)
    assert plain.nav[-1] > 1.5 * poorer.nav[-1]
    factor = poorer.portfolio.capital_factor
    assert poorer.risk.peak / factor == pytest.approx(plain.risk.peak, rel=0.01)
    assert poorer.risk.reference_peak / factor == pytest.approx(plain.risk.reference_peak, rel=0.01)
    # Unscaled, a book that gave 60 % away would be at level 4 on the same day.
    at = int(np.searchsorted(plain.sessions, np.datetime64(WENT)))
    assert poorer.levels[at] == plain.levels[at]
    assert poorer.levels.max() <= plain.levels.max()


def test_a_withdrawal_beyond_the_cash_is_paid_and_sold_for() -> None:
    loop = run_backtest(moved(went("60000")), FIRST, LAST)
    assert_same(loop, slow_path(moved(went("60000"))))
    at = int(np.searchsorted(loop.sessions, np.datetime64(WENT)))
    assert loop.invested[at] > 1.0
    assert any(event.kind == "cash" and event.session == WENT for event in loop.events)
    assert loop.invested[at + 1] < 1.0


def test_more_than_there_is_cannot_leave() -> None:
    with pytest.raises(InputError, match=r"withdrawal of .* would leave nothing"):
        run_backtest(moved(went("900000")), FIRST, LAST)
