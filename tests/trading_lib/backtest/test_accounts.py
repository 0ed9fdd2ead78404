"""A book in two accounts: each pays for its own assets, and together they are the book."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from functools import cache
from itertools import pairwise

import pytest

from tests.builders.markets import CALENDAR, backtest_input, market_of, random_bars
from tests.builders.runs import FIRST, LAST
from trading_lib.backtest.engine import run_backtest
from trading_lib.domain.book.accounts import Account, Accounts
from trading_lib.domain.book.flows import Flow
from trading_lib.domain.book.orders import Side
from trading_lib.domain.market.instruments import AssetClass
from trading_lib.session.inputs import SessionInput
from trading_lib.session.step import SessionOutcome, trade_sessions
from trading_lib.session.window import window_rows


def split_book(share: str, flows: tuple[Flow, ...] = ()) -> SessionInput:
    """The market of other tests, with so much of the cash in an account for coins."""
    accounts = Accounts(
        (
            Account("etf", asset_classes=(AssetClass.US_ETF,), share=1 - Decimal(share)),
            Account("coins", asset_classes=(AssetClass.CRYPTO,), share=Decimal(share)),
        )
    )
    data = backtest_input(market_of(random_bars(date(2021, 1, 4), LAST, seed=5)))
    universe = replace(data.universe, accounts=accounts.by_class())
    return replace(data, universe=universe, accounts=accounts, flows=flows)


def outcomes(data: SessionInput) -> list[SessionOutcome]:
    return list(trade_sessions(data, window_rows(data.panel, data.calendar, FIRST, LAST)))


@cache
def poor_in_coins() -> tuple[SessionOutcome, ...]:
    return tuple(outcomes(split_book("0.01")))


def bought(sessions: Sequence[SessionOutcome], symbol: str) -> Decimal:
    fills = [fill for one in sessions for fill in one.fills if fill.symbol == symbol and fill.side is Side.BUY]
    return sum((fill.quantity * fill.price for fill in fills), Decimal(0))


def test_the_accounts_add_up_to_the_book_and_none_is_overdrawn() -> None:
    for one in poor_in_coins():
        portfolio = one.end_of_day.portfolio
        assert sum(portfolio.accounts.values()) == portfolio.cash
        assert min(portfolio.accounts.values()) >= 0


def test_an_account_buys_with_its_own_cash_alone() -> None:
    plenty = outcomes(split_book("0.3"))
    assert bought(plenty, "BTC-USD") > 2000
    first = next(one for one in plenty if bought([one], "BTC-USD") > 0)
    at = [one.session for one in plenty].index(first.session)
    # One per cent of $100,000, whatever the other account holds.
    assert bought(poor_in_coins()[: at + 1], "BTC-USD") < 1000
    assert bought(poor_in_coins(), "SPY") > 0


def test_a_transfer_moves_cash_between_accounts_and_nothing_else() -> None:
    day = CALENDAR.offset(FIRST, 5)
    plain = outcomes(split_book("0.3"))
    moved = outcomes(split_book("0.3", (Flow(day, Decimal("1000.50"), "coins", "etf"),)))
    before, after = (next(o for o in run if o.session == day).end_of_day.portfolio for run in (plain, moved))
    assert after.accounts["coins"] - before.accounts["coins"] == Decimal("-1000.50")
    assert after.accounts["etf"] - before.accounts["etf"] == Decimal("1000.50")
    assert (after.nav, after.cash, after.deposits, after.capital_factor) == (before.nav, before.cash, 0, 1.0)


def test_a_deposit_goes_to_its_account() -> None:
    day = CALENDAR.offset(FIRST, 5)
    plain = outcomes(split_book("0.3"))
    richer = outcomes(split_book("0.3", (Flow(day, Decimal(500), target="coins"),)))
    before, after = (next(o for o in run if o.session == day).end_of_day.portfolio for run in (plain, richer))
    assert after.accounts["coins"] - before.accounts["coins"] == 500
    assert after.accounts["etf"] == before.accounts["etf"]


def test_a_backtest_of_two_accounts_runs_and_one_account_for_all_is_as_ever() -> None:
    data = split_book("0.3")
    run = run_backtest(data, FIRST, LAST)
    assert run.nav.tolist() == [float(one.end_of_day.portfolio.nav) for one in outcomes(data)]
    one = replace(data, accounts=Accounts(), universe=replace(data.universe, accounts={}))
    renamed = replace(one, accounts=Accounts((replace(Account(), name="alpaca"),)))
    assert run_backtest(one, FIRST, LAST).nav.tolist() == run_backtest(renamed, FIRST, LAST).nav.tolist()
    assert run.nav[-1] == pytest.approx(run_backtest(one, FIRST, LAST).nav[-1], rel=0.2)


def test_an_account_that_owes_sells_its_own_assets_and_no_others() -> None:
    held = [one.end_of_day.portfolio for one in outcomes(split_book("0.3"))]
    plain = next(
        after
        for before, after in pairwise(held)
        if all("BTC-USD" in one.positions and len(one.positions) > 2 for one in (before, after))
    )
    day = plain.session
    run = outcomes(split_book("0.3", (Flow(day, plain.accounts["etf"] + 5000, "etf", "coins"),)))
    at = [one.session for one in run].index(day)
    owing, restored = run[at].end_of_day.portfolio, run[at + 1].end_of_day.portfolio
    # What was ordered at the previous close finds no cash and is cut; the account still owes.
    assert owing.accounts["etf"] < 0 < owing.cash
    assert "BTC-USD" in owing.positions
    assert any(event.kind == "cash" for event in run[at].decision.assessment.events)
    assert restored.accounts["etf"] > owing.accounts["etf"] / 10
    sold = {order.symbol for order in run[at].decision.batch.orders if "cash is negative" in order.reason}
    assert sold == owing.positions.keys() - {"BTC-USD"}
