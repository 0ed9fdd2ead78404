"""Bookkeeping in Decimal: worked examples, and what no sequence of trades can create or lose."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders.decisions import make_portfolio
from tests.builders.markets import SESSION, UNIVERSE
from tests.builders.orders import TOMORROW, fill
from trading_lib.accounting.settle import apply_actions, apply_fills, mark
from trading_lib.domain.book.orders import Side
from trading_lib.domain.book.portfolio import Portfolio, to_cent


def test_buying_twice_averages_the_cost_and_selling_realises_against_it() -> None:
    book = Portfolio.opened(SESSION, Decimal(10_000))
    book = apply_fills(book, [fill(Side.BUY, "SPY", "10", "100", "1.00"), fill(Side.BUY, "SPY", "20", "130", "2.60")])
    assert book.cash == Decimal("6396.40")
    assert book.positions["SPY"].average_cost == Decimal(120)
    assert book.positions["SPY"].quantity == 30
    book = apply_fills(book, [fill(Side.SELL, "SPY", "12", "150", "1.80")])
    assert book.realised_pnl == Decimal("360.00")
    assert book.cash == Decimal("8194.60")
    assert book.positions["SPY"].average_cost == Decimal(120)
    assert book.costs == Decimal("5.40")
    book = apply_fills(book, [fill(Side.SELL, "SPY", "18", "110", "1.98")])
    assert book.positions == {}
    assert book.marks == {}
    assert book.realised_pnl == Decimal("180.00")
    assert mark(book, {}, TOMORROW).nav == Decimal("10172.62")  # 10,000 + 180.00 realised - 7.38 commission


def test_costs_are_commission_and_slippage() -> None:
    book = apply_fills(
        Portfolio.opened(SESSION, Decimal(10_000)), [fill(Side.BUY, "SPY", "10", "100.05", "1.00", reference="100")]
    )
    assert book.costs == Decimal("1.50")
    assert book.cash == Decimal("8998.50")


def test_no_fill_changes_nothing() -> None:
    book = make_portfolio(100, SPY=(1, 100, 100))
    assert apply_fills(book, []) is book


def test_selling_more_than_is_held_is_an_error() -> None:
    book = make_portfolio(100, SPY=(10, 100, 100))
    with pytest.raises(ValueError, match="t-1 sells 11 SPY, only 10 held"):
        apply_fills(book, [fill(Side.SELL, "SPY", "11", "100")])
    with pytest.raises(ValueError, match="only 0 held"):
        apply_fills(book, [fill(Side.SELL, "GLD", "1", "100")])


def test_a_dividend_is_paid_on_what_was_held() -> None:
    book = apply_actions(make_portfolio(100, SPY=(33, 100, 100)), {"SPY": 1.5787, "GLD": 5.0}, {}, UNIVERSE)
    assert book.cash == Decimal("152.10")  # 33 x 1.5787 = 52.0971
    assert book.dividends == Decimal("52.10")
    assert book.positions["SPY"].quantity == 33


def test_a_split_keeps_the_value_and_pays_fractions_in_cash() -> None:
    book = apply_actions(make_portfolio(0, SPY=(11, 90, 100)), {}, {"SPY": 1.5, "GLD": 2.0}, UNIVERSE)
    assert book.positions["SPY"].quantity == 16  # 16.5
    assert book.positions["SPY"].average_cost == 60
    assert book.cash == Decimal("33.33")  # half a share at 66.67
    assert mark(book, {}, TOMORROW).nav == Decimal("1100.00")


def test_a_reverse_split_that_leaves_no_whole_share_pays_out_everything() -> None:
    book = apply_actions(make_portfolio(5, SPY=(7, 2, 3)), {}, {"SPY": 0.1}, UNIVERSE)
    assert book.positions == {}
    assert book.marks == {}
    assert book.cash == Decimal("26.00")


def test_a_dividend_on_the_day_of_a_split_is_per_new_share() -> None:
    book = apply_actions(make_portfolio(0, SPY=(10, 100, 100)), {"SPY": 0.5}, {"SPY": 2.0}, UNIVERSE)
    assert book.cash == Decimal("10.00")


def test_marking_uses_the_close_or_the_last_good_price() -> None:
    book = make_portfolio(50, SPY=(10, 90, 100), GLD=(2, 150, 180), TLT=(1, 95, 95))
    marked = mark(book, {"SPY": 101.235, "GLD": float("nan")}, TOMORROW)
    assert marked.marks == {"SPY": Decimal("101.235"), "GLD": Decimal(180), "TLT": Decimal(95)}
    assert marked.nav == Decimal("1517.35")
    assert marked.session == TOMORROW
    assert book.session == SESSION


TRADES = st.lists(
    st.tuples(
        st.sampled_from(["SPY", "BTC-USD"]),
        st.booleans(),
        st.integers(1, 400),
        st.decimals("0.01", "900", places=4),
        st.decimals(0, 20, places=2),
    ),
    max_size=25,
)


@settings(max_examples=150, deadline=None)
@given(TRADES)
def test_trading_creates_and_loses_nothing(
    trades: list[tuple[str, bool, int, Decimal, Decimal]],
) -> None:
    """Cash plus what was paid stays; and profit is what came back less what went in."""
    book = Portfolio.opened(SESSION, Decimal(100_000))
    flows, quantities = Decimal(0), {"SPY": Decimal(0), "BTC-USD": Decimal(0)}
    commissions = Decimal(0)
    for symbol, buy, lots, price, commission in trades:
        quantity = min(lots * UNIVERSE[symbol].lot_size, Decimal("Infinity") if buy else quantities[symbol])
        if quantity == 0:
            continue
        book = apply_fills(
            book, [fill(Side.BUY if buy else Side.SELL, symbol, str(quantity), str(price), str(commission))]
        )
        sign = 1 if buy else -1
        quantities[symbol] += sign * quantity
        flows -= sign * to_cent(quantity * price) + commission
        commissions += commission
    assert book.cash == Decimal(100_000) + flows
    assert {s: p.quantity for s, p in book.positions.items()} == {s: q for s, q in quantities.items() if q}
    assert book.costs == commissions
    # Marked at cost, the book is worth its cash, its realised profit and its commissions to within rounding.
    at_cost = sum((p.quantity * p.average_cost for p in book.positions.values()), Decimal(0))
    difference = book.cash + at_cost - (Decimal(100_000) + book.realised_pnl - commissions)
    assert abs(difference) <= Decimal("0.01") * (len(trades) + 1)


@settings(max_examples=100, deadline=None)
@given(
    quantity=st.integers(1, 10_000),
    price=st.decimals("0.5", "900", places=2),
    ratio=st.sampled_from([0.1, 0.125, 0.5, 1.5, 2.0, 3.0, 7.0]),
)
def test_a_split_changes_no_value(quantity: int, price: Decimal, ratio: float) -> None:
    before = mark(make_portfolio(10, SPY=(quantity, price, price)), {}, TOMORROW)
    after = mark(apply_actions(before, {}, {"SPY": ratio}, UNIVERSE), {}, TOMORROW)
    # The last mark is restated too, and known to a millionth of a dollar.
    assert abs(after.nav - before.nav) <= Decimal("0.01") + quantity * Decimal(repr(ratio)) * Decimal("0.0000005")
