"""The second count finds every planted difference, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from tests.builders.markets import SESSION, UNIVERSE
from tests.builders.orders import fill
from trading_lib.accounting.reconcile import unexplained_differences
from trading_lib.accounting.settle import apply_actions, apply_fills, mark
from trading_lib.domain.book.orders import Fill, Side
from trading_lib.domain.book.portfolio import Portfolio, Position

CASH = Decimal(100_000)
FILLS = [
    fill(Side.BUY, "SPY", "10", "400.1234", "4.00"),
    fill(Side.BUY, "BTC-USD", "0.1234", "43210.5", "5.33"),
    replace(fill(Side.SELL, "SPY", "4", "410", "1.64"), session=date(2024, 1, 5)),
]


def book(fills: list[Fill] = FILLS) -> Portfolio:
    portfolio = apply_fills(Portfolio.opened(SESSION, CASH), fills)
    portfolio = apply_actions(portfolio, {"SPY": 1.23}, {}, UNIVERSE)
    return mark(portfolio, {}, date(2024, 1, 5))


def test_an_honest_book_agrees() -> None:
    assert unexplained_differences(book(), CASH, FILLS) == []
    assert unexplained_differences(Portfolio.opened(SESSION, CASH), CASH, []) == []


def test_the_order_in_which_fills_are_listed_does_not_matter() -> None:
    assert unexplained_differences(book(), CASH, FILLS[::-1]) == []


def test_a_fee_with_parts_of_a_cent_is_booked_in_cents() -> None:
    """As brokers of coins charge it."""
    fills = [replace(FILLS[1], commission=Decimal("5.334002827"))]
    assert unexplained_differences(book(fills), CASH, fills) == []


def test_a_missing_cent_is_found() -> None:
    honest = book()
    wrong = replace(honest, cash=honest.cash - Decimal("0.01"))
    assert unexplained_differences(wrong, CASH, FILLS) == [f"cash: {wrong.cash} stored, {honest.cash} from fills"]


def test_a_wrong_quantity_is_found() -> None:
    honest = book()
    wrong = replace(honest, positions={**honest.positions, "SPY": Position("SPY", Decimal(7), Decimal(400))})
    assert unexplained_differences(wrong, CASH, FILLS) == ["SPY: 7 stored, 6 from fills"]


def test_a_position_out_of_nowhere_is_found() -> None:
    honest = book()
    wrong = replace(honest, positions={**honest.positions, "GLD": Position("GLD", Decimal(1), Decimal(180))})
    assert unexplained_differences(wrong, CASH, FILLS) == ["GLD: 1 stored, 0 from fills"]


def test_a_position_that_disappeared_is_found() -> None:
    honest = book()
    wrong = replace(honest, positions={"SPY": honest.positions["SPY"]})
    assert unexplained_differences(wrong, CASH, FILLS) == ["BTC-USD: 0 stored, 0.1234 from fills"]


@pytest.mark.parametrize("missing", range(3))
def test_a_fill_that_was_not_booked_is_found(missing: int) -> None:
    fewer = [one for position, one in enumerate(FILLS) if position != missing]
    found = unexplained_differences(book(), CASH, fewer)
    assert any(line.startswith(FILLS[missing].symbol) for line in found)
    assert any(line.startswith("cash") for line in found)


def test_a_dividend_that_was_not_credited_is_found() -> None:
    honest = book()
    wrong = replace(honest, dividends=Decimal(0))
    assert [line.split(":")[0] for line in unexplained_differences(wrong, CASH, FILLS)] == ["cash"]


SPLIT = (date(2024, 1, 8), "SPY", Decimal(2))


def test_a_split_of_a_held_position_is_allowed_for() -> None:
    doubled = apply_actions(book(), {}, {"SPY": 2.0}, UNIVERSE)
    assert unexplained_differences(doubled, CASH, FILLS, [SPLIT]) == []
    assert unexplained_differences(doubled, CASH, FILLS) == ["SPY: 12 stored, 6 from fills"]
    wrong = replace(doubled, positions={"SPY": doubled.positions["SPY"]})
    assert unexplained_differences(wrong, CASH, FILLS, [SPLIT]) == ["BTC-USD: 0 stored, 0.1234 from fills"]


def test_a_split_of_what_was_not_held_excuses_nothing() -> None:
    honest = book()
    wrong = replace(honest, cash=honest.cash + 1)
    splits = [(date(2024, 1, 8), "GLD", Decimal(2)), (SESSION, "SPY", Decimal(2))]
    assert unexplained_differences(honest, CASH, FILLS, splits) == []
    assert len(unexplained_differences(wrong, CASH, FILLS, splits)) == 1
