"""The engine's accounting against vectorbt's, on the engine's own fills."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from importlib.util import find_spec

import pytest

from tests.builders.markets import backtest_input, market_of, random_bars
from trading_lib.backtest.audits.independent_nav import independent_nav, largest_difference
from trading_lib.backtest.engine import BacktestResult, run_backtest
from trading_lib.domain.book.orders import Side
from trading_lib.session.inputs import SessionInput

# Importing vectorbt takes many seconds, and collecting tests must not.
pytestmark = pytest.mark.skipif(find_spec("vectorbt") is None, reason="vectorbt is not installed")


@pytest.fixture(scope="module")
def run() -> tuple[SessionInput, BacktestResult]:
    """Three years with dividends, a split, missing bars, a late start and Bitcoin."""
    data = backtest_input(market_of(random_bars(date(2020, 1, 2), date(2023, 3, 31), seed=2)))
    return data, run_backtest(data, date(2020, 12, 1), date(2023, 3, 31))


def test_both_accounts_agree(run: tuple[SessionInput, BacktestResult]) -> None:
    data, result = run
    assert len(result.fills) > 100
    assert {fill.side for fill in result.fills} == {Side.BUY, Side.SELL}
    assert result.portfolio.dividends > 0
    # Our net asset value is rounded to the cent, which is 5e-8 of $100,000.
    assert largest_difference(result.nav, independent_nav(data, result)) < 1e-7


def test_a_wrong_fill_would_be_seen(run: tuple[SessionInput, BacktestResult]) -> None:
    data, result = run
    first = result.fills[0]
    dearer = (replace(first, price=first.price + Decimal("0.05")), *result.fills[1:])
    assert largest_difference(result.nav, independent_nav(data, result, dearer)) > 1e-6
