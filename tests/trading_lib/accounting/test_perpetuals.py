"""Bookkeeping of the short leg, and the second count of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from decimal import Decimal

import pytest

from tests.builders.decisions import make_portfolio
from tests.builders.markets import SESSION
from tests.builders.prices import instant
from trading_lib.accounting.perpetuals import funding_payment, settle_perpetuals
from trading_lib.accounting.reconcile import unexplained_differences
from trading_lib.accounting.settle import mark
from trading_lib.domain.book.orders import Fill, Side
from trading_lib.domain.book.portfolio import Portfolio
from trading_lib.domain.market.funding import Settlement

SHORT = "BINANCE:BTC-USDT"
CASH = Decimal(100_000)


def fill(side: Side, quantity: str, price: str, at: str = "2024-01-03 00:00", commission: str = "0") -> Fill:
    return Fill(
        f"{side}{quantity}{at}", "paper", "id", SHORT, side, Decimal(quantity), Decimal(price), Decimal(price),
        Decimal(commission), instant(at), SESSION,
    )  # fmt: skip


def paid(at: str, rate: float, price: float = 10_000.0, symbol: str = SHORT) -> Settlement:
    return Settlement(symbol, instant(at), rate, price)


def settled(fills: list[Fill], settlements: tuple[Settlement, ...] = ()) -> Portfolio:
    return settle_perpetuals(make_portfolio(100_000), fills, settlements)


def test_opening_a_short_moves_no_cash_but_its_commission() -> None:
    found = settled([fill(Side.SELL, "0.6", "9980", commission="5.99")])
    assert found.cash == Decimal("99994.01")
    assert found.perpetuals[SHORT].quantity == Decimal("-0.6")
    assert found.perpetuals[SHORT].entry_value == Decimal("-5988.00")
    assert found.hedged == Decimal("0.6")
    assert found.costs == Decimal("5.99")


def test_net_asset_value_falls_with_a_rising_price_and_rises_with_a_falling_one() -> None:
    held = settled([fill(Side.SELL, "0.6", "10000")])
    assert mark(held, {SHORT: 12_000.0}, SESSION).nav == Decimal("98800.00")
    assert mark(held, {SHORT: 9_000.0}, SESSION).nav == Decimal("100600.00")
    kept = mark(mark(held, {SHORT: 12_000.0}, SESSION), {SHORT: float("nan")}, SESSION)
    assert kept.nav == Decimal("98800.00")


def test_closing_in_parts_loses_no_cent() -> None:
    fills = [fill(Side.SELL, "0.3333", "10000.01"), fill(Side.SELL, "0.3333", "9999.97")]
    parts = [fill(Side.BUY, "0.1111", "11111.11", at=f"2024-01-03 0{hour}:00") for hour in range(1, 7)]
    found = settled([*fills, *parts])
    bought = 6 * Decimal("1234.44")  # 0.1111 x 11111.11 = 1234.444...
    assert found.perpetuals == {}
    assert found.realised_pnl == Decimal("3333.00") + Decimal("3332.99") - bought
    assert found.cash == CASH + found.realised_pnl


@pytest.mark.parametrize(
    ("rate", "received"), [(0.0001, "0.60"), (-0.0001, "-0.60"), (0.003, "18.00"), (-0.003, "-18.00")]
)
def test_a_short_receives_a_positive_rate_and_pays_a_negative_one(rate: float, received: str) -> None:
    assert funding_payment(Decimal("-0.6"), paid("2024-01-03 08:00", rate)) == Decimal(received)
    found = settled([fill(Side.SELL, "0.6", "10000")], (paid("2024-01-03 08:00", rate),))
    assert (found.funding, found.cash) == (Decimal(received), CASH + Decimal(received))


def test_funding_counts_for_whoever_held_the_position_just_before() -> None:
    opened = fill(Side.SELL, "1", "10000", at="2024-01-03 00:00")
    closed = fill(Side.BUY, "1", "10000", at="2024-01-04 00:00")
    moments = ["2024-01-02 16:00", "2024-01-03 00:00", "2024-01-03 08:00", "2024-01-04 00:00", "2024-01-04 08:00"]
    found = settled([closed, opened], tuple(paid(moment, 0.0001) for moment in moments))
    assert found.funding == Decimal("2.00")


def test_another_venues_funding_is_not_ours() -> None:
    other = paid("2024-01-03 08:00", 0.0001, symbol="BYBIT:BTC-USDT")
    assert settled([fill(Side.SELL, "1", "10000")], (other,)).funding == 0


def test_a_perpetual_never_goes_long() -> None:
    with pytest.raises(ValueError, match=r"only 0\.5 sold short"):
        settled([fill(Side.SELL, "0.5", "10000"), fill(Side.BUY, "0.6", "10000", at="2024-01-03 01:00")])


FILLS = [
    fill(Side.SELL, "0.6", "9980", commission="5.99"),
    fill(Side.BUY, "0.2", "12024", at="2024-01-04 00:00", commission="2.40"),
]
SETTLEMENTS = (paid("2024-01-03 08:00", 0.0003), paid("2024-01-03 16:00", -0.0001), paid("2024-01-04 08:00", 0.001))


def test_the_second_count_agrees_with_the_books() -> None:
    book = settled(FILLS, SETTLEMENTS)
    assert book.perpetuals[SHORT].entry_value == Decimal("-3992.00")
    assert unexplained_differences(book, CASH, FILLS, (), SETTLEMENTS) == []
    assert unexplained_differences(book, CASH, FILLS[::-1], (), SETTLEMENTS) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"cash": CASH}, "cash: 100000 stored"),
        ({"funding": Decimal("1.20")}, "funding: 1.20 stored, 5.20 from fills and rates"),
        ({"perpetuals": {}}, f"{SHORT}: 0 stored, -0.4 from fills"),
    ],
)
def test_the_second_count_names_what_does_not_agree(change: dict[str, object], words: str) -> None:
    found = unexplained_differences(replace(settled(FILLS, SETTLEMENTS), **change), CASH, FILLS, (), SETTLEMENTS)
    assert any(line.startswith(words) for line in found), found


def test_a_settlement_that_was_not_booked_is_found() -> None:
    late = Settlement(SHORT, datetime.fromisoformat("2024-01-04T16:00+00:00"), 0.0001, 10_000.0)
    assert unexplained_differences(settled(FILLS, SETTLEMENTS), CASH, FILLS, (), (*SETTLEMENTS, late)) == [
        "funding: 5.20 stored, 5.60 from fills and rates"
    ]
