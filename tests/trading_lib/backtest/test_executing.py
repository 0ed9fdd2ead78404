"""Orders meet their opening: no fill at a price the bar contradicts, none that cash does not pay for."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders.carry import SHORT, carry_config, carry_input, carry_market, rates_of
from tests.builders.decisions import make_portfolio
from tests.builders.markets import FRIDAY, MONDAY, row_of, small_market
from tests.builders.orders import order
from trading_lib.accounting.settle import apply_fills
from trading_lib.domain.book.orders import Cancellation, Fill, Side
from trading_lib.domain.book.portfolio import PerpetualPosition, Portfolio
from trading_lib.domain.money import to_cents, to_micros
from trading_lib.domain.money_arithmetic import paid_for
from trading_lib.session.inputs import SessionInput
from trading_lib.session.opening import execute
from trading_lib.session.settle import settle_row

# Of the bar of Monday, the 44th day of the year: open 144, low 143, high 145.
RICH = make_portfolio(100_000)


def market(opening: float | None = None, **fill_bar: float) -> SessionInput:
    """SPY and Bitcoin, of which the bar that Monday's fills open may be another."""
    data = small_market()
    changes = {"fill_open": opening, **fill_bar} if opening is not None else fill_bar
    for name, value in changes.items():
        getattr(data.panel, name)[row_of(data, MONDAY), :] = value
    return data


def met(
    data: SessionInput, portfolio: Portfolio, *orders: Any, booked: tuple[Fill, ...] = ()
) -> tuple[list[Fill], list[Cancellation]]:
    return execute(data, portfolio, orders, row_of(data, MONDAY), MONDAY, booked)


@pytest.mark.parametrize("side", list(Side))
@pytest.mark.parametrize("opening", [14.4, 1440.0, 142.9998, 145.0002])
def test_an_opening_outside_its_own_bar_fills_nothing(side: Side, opening: float) -> None:
    portfolio = make_portfolio(100_000, SPY=(100, 100, 143))
    filled, cancelled = met(market(opening), portfolio, order("SPY", side, "10"))
    assert filled == []
    words = f"SPY 2023-02-13: the opening {opening:g} is outside the bar's own low 143 and high 145"
    if opening == round(opening, 1):
        assert cancelled == [Cancellation(f"SPY-{side}", "SPY", side, Decimal(10), MONDAY, words)]
    else:
        assert [one.quantity for one in cancelled] == [10]


@pytest.mark.parametrize("opening", [142.9999, 143.0, 145.0, 145.0001])
def test_one_price_unit_of_tolerance_is_judged_before_slippage(opening: float) -> None:
    filled, cancelled = met(market(opening), RICH, order("SPY", Side.BUY, "10"))
    assert cancelled == []
    # Slippage may well carry the price itself out of the bar.
    assert [fill.reference_price for fill in filled] == [Decimal(str(opening))]
    assert filled[0].price > Decimal("142.9999")


def test_a_range_that_nobody_knows_contradicts_nothing() -> None:
    data = market(14.4, fill_low=np.nan, fill_high=np.nan)
    filled, cancelled = met(data, RICH, order("SPY", Side.BUY, "10"))
    assert (len(filled), cancelled) == (1, [])


@pytest.mark.parametrize("crash", [0.1, 0.6, 3.0])
def test_a_sale_fills_however_far_the_opening_is_from_the_last_good_price(crash: float) -> None:
    """A gap that the bar itself confirms is the market's, and what reduces risk must get out."""
    opening = 144 * crash
    data = market(opening, fill_low=opening - 1, fill_high=opening + 1)
    filled, cancelled = met(data, make_portfolio(0, SPY=(100, 100, 143)), order("SPY", Side.SELL, "100"))
    assert cancelled == []
    assert filled[0].quantity == 100


def test_the_coins_bar_is_judged_on_its_own_day() -> None:
    _, cancelled = met(market(1.0), RICH, order("BTC-USD", Side.BUY, "0.5"))
    # Friday's order fills on Saturday, the 42nd day of the year.
    assert [one.reason for one in cancelled] == [
        "BTC-USD 2023-02-11: the opening 1 is outside the bar's own low 141 and high 143"
    ]
    assert cancelled[0].session == MONDAY


def test_a_purchase_is_cut_to_whole_lots_that_cash_pays_for_with_commission() -> None:
    # 144 with 0.05 % slippage; commission is on top.
    data = market()
    (full,), _ = met(data, RICH, order("SPY", Side.BUY, "10"))
    needed = full.price * 10 + full.commission
    (fill,), cancelled = met(data, make_portfolio(str(needed)), order("SPY", Side.BUY, "10"))
    assert (fill, cancelled) == (full, [])
    (fill,), (rest,) = met(data, make_portfolio(str(needed - Decimal("0.01"))), order("SPY", Side.BUY, "10"))
    assert (fill.quantity, rest.quantity) == (9, 1)
    assert fill.client_order_id == rest.client_order_id
    paid = f"SPY 2023-02-13: cash of ${needed - Decimal('0.01'):,.2f} pays for 9 of 10 at {full.price} with commission"
    assert rest.reason == paid


def test_a_purchase_that_is_cut_to_nothing_is_cancelled() -> None:
    filled, (cancelled,) = met(market(), make_portfolio(100), order("SPY", Side.BUY, "10"))
    assert filled == []
    assert cancelled.quantity == 10
    assert "cash of $100.00 pays for none of 10" in cancelled.reason


def test_cash_is_spent_in_the_order_of_the_list_and_sales_come_first() -> None:
    data = market()
    portfolio = make_portfolio(0, SPY=(10, 100, 143))
    bought = [order("BTC-USD", Side.BUY, "5"), order("BTC-USD", Side.BUY, "7")]
    bought[1] = replace(bought[1], client_order_id="second")
    filled, cancelled = met(data, portfolio, *bought, order("SPY", Side.SELL, "10"))
    assert [fill.client_order_id for fill in filled] == ["SPY-SELL", "BTC-USD-BUY", "second"]
    assert [fill.quantity for fill in filled][:2] == [10, 5]
    assert 0 < filled[2].quantity < 7
    assert [one.client_order_id for one in cancelled] == ["second"]
    # The other way round the other is cut.
    filled, cancelled = met(data, portfolio, *reversed(bought), order("SPY", Side.SELL, "10"))
    assert [one.client_order_id for one in cancelled] == ["BTC-USD-BUY"]


def test_a_sale_that_is_cancelled_brings_no_cash() -> None:
    data = market()
    data.panel.fill_open[row_of(data, MONDAY), data.universe.positions["SPY"]] = 14.4
    sale, purchase = order("SPY", Side.SELL, "10"), order("BTC-USD", Side.BUY, "5")
    filled, cancelled = met(data, make_portfolio(0, SPY=(10, 100, 143)), sale, purchase)
    assert filled == []
    assert [one.symbol for one in cancelled] == ["SPY", "BTC-USD"]


def test_a_dividend_of_the_day_can_be_spent() -> None:
    data = market()
    data.panel.dividend[row_of(data, MONDAY), data.universe.positions["SPY"]] = 10.0
    filled, _ = met(data, make_portfolio(0, SPY=(100, 100, 143)), order("BTC-USD", Side.BUY, "5"))
    assert filled[0].quantity == 5


def test_a_run_that_was_interrupted_finds_the_same_cash_again() -> None:
    data = market()
    orders = [order("SPY", Side.BUY, "3"), order("BTC-USD", Side.BUY, "5")]
    portfolio = make_portfolio(1_000)
    filled, cancelled = met(data, portfolio, *orders)
    assert [one.client_order_id for one in cancelled] == ["BTC-USD-BUY"]
    # Stored and done, stored and not yet done, and nothing stored.
    assert met(data, portfolio, orders[1], booked=tuple(filled)) == (filled[1:], cancelled)
    assert met(data, portfolio, *orders, booked=tuple(filled)) == (filled, cancelled)
    assert met(data, portfolio, *orders) == (filled, cancelled)


@settings(max_examples=200, deadline=None)
@given(
    cash=st.decimals(0, 20_000, places=2),
    quantities=st.lists(st.integers(1, 100), min_size=2, max_size=2),
    sold=st.integers(0, 20),
    opening=st.sampled_from([143.0, 144.37, 145.0, 20.0, 900.0]),
)
def test_no_fill_takes_cash_below_zero_and_one_lot_more_would(
    cash: Decimal, quantities: list[int], sold: int, opening: float
) -> None:
    data = market()
    data.panel.fill_open[row_of(data, MONDAY), data.universe.positions["SPY"]] = opening
    purchases = [order("SPY", Side.BUY, str(quantities[0])), order("BTC-USD", Side.BUY, str(quantities[1]))]
    sale = [replace(order("SPY", Side.SELL, str(sold)), client_order_id="sale")] if sold else []
    portfolio = make_portfolio(str(cash), SPY=(20, 100, 143))
    filled, cancelled = met(data, portfolio, *sale, *purchases)
    for number, fill in enumerate(filled):
        after = apply_fills(portfolio, filled[: number + 1])
        assert after.cash >= 0
        cut = [one for one in cancelled if one.client_order_id == fill.client_order_id]
        if cut:
            instrument = data.universe[fill.symbol]
            there = apply_fills(portfolio, filled[:number]).cash
            more, rate = to_micros(fill.quantity + instrument.lot_size), to_micros(instrument.commission_rate)
            assert paid_for(more, to_micros(fill.price), rate) > to_cents(there)
    done = {fill.client_order_id: fill.quantity for fill in filled}
    left = {one.client_order_id: one.quantity for one in cancelled}
    for one in (*sale, *purchases):
        assert done.get(one.client_order_id, 0) + left.get(one.client_order_id, 0) == one.quantity


# Both legs of a hedge. Bitcoin opens at 10,000 on the 2nd of March.
CONFIG = carry_config()
ENTRY, OPENED = date(2021, 3, 1), date(2021, 3, 2)


def hedge(
    portfolio: Portfolio, *orders: tuple[str, Side, str], opening: float = 10_000.0
) -> tuple[list[Fill], list[Cancellation], Portfolio]:
    first, last = date(2021, 2, 1), date(2021, 3, 5)
    rates = rates_of(first, last, lambda _: 0.0)
    data = carry_input(carry_market(first, last, lambda _: 10_000.0, rates, CONFIG), CONFIG)
    row = row_of(data, OPENED)
    data.panel.fill_open[row, data.universe.positions["BTC-USD"]] = opening
    working = [order(symbol, side, quantity, ENTRY) for symbol, side, quantity in orders]
    filled, cancelled = execute(data, portfolio, working, row, OPENED)
    return filled, cancelled, settle_row(data, portfolio, row, OPENED, filled)


def hedged(cash: str, spot: str, short: str, entry: str = "10000") -> Portfolio:
    portfolio = make_portfolio(cash, BTC_USD=(spot, 10_000, 10_000)) if Decimal(spot) else make_portfolio(cash)
    if not Decimal(short):
        return portfolio
    position = PerpetualPosition(SHORT, -Decimal(short), -Decimal(short) * Decimal(entry), Decimal(10_000))
    return replace(portfolio, perpetuals={SHORT: position})


def test_a_spot_leg_that_cash_cuts_cuts_its_short() -> None:
    filled, cancelled, after = hedge(hedged("3000", "0", "0"), ("BTC-USD", Side.BUY, "0.6"), (SHORT, Side.SELL, "0.6"))
    assert filled[0].quantity == filled[1].quantity == after.hedged == after.positions["BTC-USD"].quantity
    assert Decimal("0.29") < after.hedged < Decimal("0.3")
    assert after.cash >= 0
    assert [one.quantity for one in cancelled] == [Decimal("0.6") - after.hedged] * 2
    assert "cash of $3,000.00 pays for" in cancelled[0].reason
    assert "as its other leg in BTC-USD was filled for less" in cancelled[1].reason


def test_what_the_spot_leg_falls_short_by_is_not_hedged_with_other_holdings() -> None:
    filled, _, after = hedge(hedged("3000", "0.2", "0"), ("BTC-USD", Side.BUY, "0.6"), (SHORT, Side.SELL, "0.6"))
    assert after.hedged == filled[0].quantity < Decimal("0.3")
    assert after.positions["BTC-USD"].quantity == after.hedged + Decimal("0.2")


def test_other_purchases_do_not_take_the_cash_that_a_short_needs() -> None:
    orders = ("BTC-USD", Side.BUY, "0.1"), ("SPY", Side.BUY, "1000"), (SHORT, Side.SELL, "0.1")
    filled, cancelled, after = hedge(hedged("1500", "0", "0"), *orders)
    assert [fill.symbol for fill in filled] == ["BTC-USD", SHORT, "SPY"]
    assert after.hedged == after.positions["BTC-USD"].quantity == Decimal("0.1")
    assert [one.symbol for one in cancelled] == ["SPY"]


def test_a_short_whose_spot_is_sold_is_bought_back_even_where_cash_is_gone() -> None:
    # Funding may have taken cash below zero before; a naked short would be worse.
    before = hedged("-3000", "0.6", "0.6", entry="2000")
    _, cancelled, after = hedge(before, ("BTC-USD", Side.SELL, "0.6"), (SHORT, Side.BUY, "0.6"))
    assert cancelled == []
    assert after.perpetuals == after.positions == {}


def test_neither_leg_opens_without_cash_for_both() -> None:
    filled, cancelled, after = hedge(hedged("0.5", "0", "0"), ("BTC-USD", Side.BUY, "0.6"), (SHORT, Side.SELL, "0.6"))
    assert filled == []
    assert len(cancelled) == 2
    assert after.perpetuals == after.positions == {}


@pytest.mark.parametrize("side", list(Side))
def test_a_wrong_opening_stops_both_legs(side: Side) -> None:
    other = Side.SELL if side is Side.BUY else Side.BUY
    before = hedged("90000", "0.6", "0.6")
    filled, cancelled, after = hedge(before, ("BTC-USD", side, "0.3"), (SHORT, other, "0.3"), opening=1_000.0)
    assert filled == []
    assert [one.symbol for one in cancelled] == ["BTC-USD", SHORT]
    assert all("2021-03-02: the opening 1000 is outside" in one.reason for one in cancelled)
    assert after.hedged == after.positions["BTC-USD"].quantity == Decimal("0.6")


def test_a_short_is_bought_back_with_what_its_spot_leg_brings_before_anything_else_is_bought() -> None:
    # The short was opened at 2,000, so that buying it back takes nearly all that the spot leg brings.
    filled, cancelled, after = hedge(
        hedged("0", "0.6", "0.6", entry="2000"),
        ("BTC-USD", Side.SELL, "0.6"),
        ("SPY", Side.BUY, "50"),
        (SHORT, Side.BUY, "0.6"),
    )
    assert [fill.symbol for fill in filled] == ["BTC-USD", SHORT, "SPY"]
    assert after.perpetuals == {}
    assert after.cash >= 0
    assert [one.symbol for one in cancelled] == ["SPY"]


def test_buying_back_alone_is_cut_to_the_loss_that_cash_pays() -> None:
    _, (cut,), after = hedge(hedged("1000", "0.6", "0.6", entry="2000"), (SHORT, Side.BUY, "0.6"))
    assert after.cash >= 0
    assert Decimal("0.4") < after.hedged < Decimal("0.6")
    assert after.hedged == cut.quantity


@settings(max_examples=60, deadline=None)
@given(
    cash=st.decimals(0, 12_000, places=2),
    bought=st.integers(1, 12_000),
    short=st.integers(1, 12_000),
    spot=st.integers(0, 5_000),
    opening=st.sampled_from([10_000.0, 1_000.0]),
)
def test_no_naked_short_ever_opens(cash: Decimal, bought: int, short: int, spot: int, opening: float) -> None:
    units, lots = Decimal(bought) / 10_000, Decimal(short) / 10_000
    before = hedged(str(cash), str(Decimal(spot) / 10_000), "0")
    _, _, after = hedge(before, ("BTC-USD", Side.BUY, str(units)), (SHORT, Side.SELL, str(lots)), opening=opening)
    held = after.positions.get("BTC-USD")
    assert after.hedged <= (held.quantity if held else 0)
    assert after.cash >= 0
    if short == bought and not spot:
        assert after.hedged == (held.quantity if held else 0)


def test_the_day_of_the_decision_is_not_judged() -> None:
    data = market()
    data.panel.fill_open[row_of(data, FRIDAY), :] = 1.0
    filled, cancelled = met(data, RICH, order("SPY", Side.BUY, "10"))
    assert (len(filled), cancelled) == (1, [])
