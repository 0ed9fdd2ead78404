"""A broker's snapshot against a book: amounts that agree are no break, and each that does not is exactly one."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_lib.domain.book.flows import Flow
from trading_lib.domain.book.orders import (
    Fill,
    Order,
    OrderPurpose,
    OrderStatus,
    Side,
    client_order_id,
)
from trading_lib.execution.broker import BrokerAccount, BrokerOrder, BrokerStatus, Bust, Execution
from trading_lib.execution.reconciliation.book_side import BookSide, Dividend, OwnOrder
from trading_lib.execution.reconciliation.breaks import (
    BreakKind,
    BreakStatus,
    known_difference,
    trade_amounts,
    trade_id_of,
    trade_text,
)
from trading_lib.execution.reconciliation.compare import Comparison, compare, halting_reason
from trading_lib.execution.reconciliation.snapshot import BrokerSnapshot, SnapshotRefusedError, checked

FRIDAY, MONDAY = date(2026, 3, 6), date(2026, 3, 9)
NOW = datetime(2026, 3, 9, 15, 0, tzinfo=UTC)
ONE = Decimal(1)


def an_order(symbol: str, side: Side = Side.BUY, quantity: str = "10", session: date = FRIDAY) -> Order:
    identity = client_order_id("paper", session, symbol, side)
    return Order(
        identity, "paper", session, symbol, side, Decimal(quantity), Decimal(100), Decimal(1), 0.1,
        OrderPurpose.REBALANCE, "",
    )  # fmt: skip


def at_broker(
    order: Order, filled: str = "0", status: BrokerStatus = BrokerStatus.WORKING, **changes: Any
) -> BrokerOrder:
    found = BrokerOrder(
        order.client_order_id, f"b-{order.client_order_id}", order.symbol, order.side, order.quantity,
        Decimal(filled), status,
    )  # fmt: skip
    return replace(found, **changes)


def execution(
    order: Order, trade: str = "t1", quantity: str = "10", price: str = "101.50", **changes: Any
) -> Execution:
    found = Execution(
        trade, order.client_order_id, order.symbol, order.side, Decimal(quantity), Decimal(price), Decimal("0.35"), NOW
    )
    return replace(found, **changes)


def stored(of: Execution, session: date = FRIDAY, **changes: Any) -> Fill:
    found = Fill(
        of.trade_id, "alpaca", of.client_order_id, of.symbol, of.side, of.quantity, of.price, of.price, of.commission,
        of.filled_at, session,
    )  # fmt: skip
    return replace(found, **changes)


def snapshot(cash: str = "5000.00", positions: dict[str, Any] | None = None, **changes: Any) -> BrokerSnapshot:
    held = {symbol: Decimal(u) if isinstance(u, str) else u for symbol, u in (positions or {}).items()}
    found = BrokerSnapshot(BrokerAccount("A1", "USD", Decimal(cash), Decimal(0)), held, (), (), (), NOW, NOW)
    return replace(found, **changes)


def book(cash: str = "5000.00", positions: dict[str, str] | None = None, **changes: Any) -> BookSide:
    held = {symbol: Decimal(units) for symbol, units in (positions or {}).items()}
    return replace(BookSide("paper", "main", FRIDAY, Decimal(cash), held), **changes)


def kinds(comparison: Comparison) -> list[BreakKind]:
    return [one.kind for one in comparison.breaks]


def test_an_account_that_agrees_has_no_break() -> None:
    order = an_order("SPY")
    done = stored(execution(order))
    found = compare(
        snapshot(positions={"SPY": "10"}, closed_orders=(at_broker(order, "10", BrokerStatus.FILLED),)),
        book(positions={"SPY": "10"}, orders=(OwnOrder(order, OrderStatus.FILLED, Decimal(10)),), fills=(done,)),
    )
    assert found == Comparison(1, 1, ())


def test_a_fill_that_no_settlement_has_booked_explains_units_and_cash() -> None:
    order = an_order("SPY")
    found = compare(
        snapshot(
            "3984.65",
            {"SPY": "10"},
            closed_orders=(at_broker(order, "10", BrokerStatus.FILLED),),
            fills=(execution(order),),
        ),
        book("5000.00", orders=(OwnOrder(order, OrderStatus.WORKING),)),
    )
    assert kinds(found) == [BreakKind.UNBOOKED_FILL]
    assert not found.open


def test_a_fill_of_nobodys_order_is_a_manual_trade_that_somebody_has_to_look_at() -> None:
    bought = execution(an_order("GLD"), client_order_id="by-hand-1")
    found = compare(snapshot("3984.65", {"GLD": "10"}, fills=(bought,)), book())
    assert kinds(found) == [BreakKind.MANUAL_TRADE]
    assert found.open[0].broker == "BUY 10 GLD at 101.50 for 0.35 (trade t1)"


def test_a_sale_that_the_broker_made_is_a_liquidation() -> None:
    sold = execution(an_order("GLD", Side.SELL), client_order_id="x", raw='{"reason":"Liquidation of account"}')
    found = compare(snapshot("6014.65", fills=(sold,)), book(positions={"GLD": "10"}))
    assert kinds(found) == [BreakKind.LIQUIDATION]


def test_a_fee_kept_in_units_is_explained_by_its_fill() -> None:
    order = an_order("BTC", quantity="2")
    fill = execution(order, quantity="2", price="100", commission=Decimal("0.20"), fee_quantity=Decimal("0.002"))
    own = OwnOrder(order, OrderStatus.FILLED, Decimal(2))
    ended = (at_broker(order, "2", BrokerStatus.FILLED),)
    before_booking = compare(
        snapshot("4800", {"BTC": "1.998"}, closed_orders=ended, fills=(fill,)), book(orders=(own,))
    )
    assert kinds(before_booking) == [BreakKind.UNBOOKED_FILL]
    booked_without_it = compare(
        snapshot("4800", {"BTC": "1.998"}, closed_orders=ended, fills=(fill,)),
        book("4799.80", {"BTC": "2"}, orders=(own,), fills=(stored(fill),)),
    )
    assert kinds(booked_without_it) == [BreakKind.FEE]
    assert not booked_without_it.open


def test_a_dearer_commission_than_was_stored_explains_the_cash() -> None:
    order = an_order("SPY")
    told = execution(order, commission=Decimal("0.40"))
    found = compare(
        snapshot("4999.95", {"SPY": "10"}, fills=(told,)),
        book(positions={"SPY": "10"}, orders=(OwnOrder(order, OrderStatus.FILLED),), fills=(stored(execution(order)),)),
    )
    assert kinds(found) == [BreakKind.FEE]
    assert not found.open


DIVIDENDS = tuple(
    Dividend(symbol, date(2026, 3, day), Decimal("0.5"), Decimal(10), Decimal(amount))
    for symbol, day, amount in (("SPY", 2, "17.31"), ("QQQ", 3, "9.07"), ("GLD", 4, "3.33"))
)


@pytest.mark.parametrize(
    ("cash", "symbols"),
    [("4996.67", ["GLD"]), ("4987.60", ["QQQ", "GLD"]), ("4970.29", ["SPY", "QQQ", "GLD"]), ("4982.69", ["SPY"])],
)
def test_dividends_that_the_broker_pays_later_explain_cash(cash: str, symbols: list[str]) -> None:
    found = compare(snapshot(cash), book(dividends=DIVIDENDS))
    assert [(one.kind, one.symbol, one.status) for one in found.breaks] == [
        (BreakKind.DIVIDEND, symbol, BreakStatus.EXPLAINED) for symbol in symbols
    ]


def test_a_cent_beside_the_dividends_is_not_explained() -> None:
    found = compare(snapshot("4996.66"), book(dividends=DIVIDENDS))
    assert [one.kind for one in found.open] == [BreakKind.TRANSFER]


@pytest.mark.parametrize(("session", "cash"), [(MONDAY, "7500.00"), (FRIDAY, "2500.00")])
def test_a_recorded_flow_explains_cash_on_whichever_side_it_is_late(session: date, cash: str) -> None:
    flow = Flow(session, Decimal("2500.00"), None, "main")
    found = compare(snapshot(cash), book(flows=(flow,)))
    assert [(one.kind, one.status) for one in found.breaks] == [(BreakKind.TRANSFER, BreakStatus.EXPLAINED)]


def test_money_that_came_without_a_trade_is_a_transfer_that_nobody_recorded() -> None:
    (found,) = compare(snapshot("7500.00"), book()).open
    assert found.kind is BreakKind.TRANSFER
    assert "trading book deposit" in found.explanation


@pytest.mark.parametrize("units", ["20", "5"])
def test_a_split_that_one_side_has_not_booked_is_explained(units: str) -> None:
    found = compare(snapshot(positions={"SPY": units}), book(positions={"SPY": "10"}, splits={"SPY": Decimal(2)}))
    assert [(one.kind, one.status) for one in found.breaks] == [(BreakKind.SPLIT, BreakStatus.EXPLAINED)]


def test_a_split_of_a_working_order_overnight_is_explained() -> None:
    order = an_order("SPY")
    doubled = at_broker(order, quantity=Decimal(20))
    own = OwnOrder(order, OrderStatus.WORKING)
    announced = compare(snapshot(open_orders=(doubled,)), book(orders=(own,), splits={"SPY": Decimal(2)}))
    assert [(one.kind, one.status) for one in announced.breaks] == [(BreakKind.SPLIT, BreakStatus.EXPLAINED)]
    assert kinds(compare(snapshot(open_orders=(doubled,)), book(orders=(own,)))) == [BreakKind.ORDER_DIFFERS]


def test_a_holding_that_doubled_without_a_known_split_has_to_be_looked_at() -> None:
    (found,) = compare(snapshot(positions={"SPY": "20"}), book(positions={"SPY": "10"})).open
    assert (found.kind, "looks like a split" in found.explanation) == (BreakKind.POSITION, True)


def test_a_struck_fill_that_is_booked_has_to_be_looked_at_and_one_that_is_not_needs_nobody() -> None:
    order = an_order("SPY")
    fill = execution(order)
    bust = (Bust("t1", NOW, "erroneous trade"),)
    own = (OwnOrder(order, OrderStatus.FILLED, Decimal(10)),)
    booked = compare(snapshot("6015.35", busts=bust), book(positions={"SPY": "10"}, orders=own, fills=(stored(fill),)))
    assert kinds(booked) == [BreakKind.BUST]
    assert booked.open
    unbooked = compare(snapshot(busts=bust), book(orders=own, fills=(stored(fill, MONDAY),)))
    assert unbooked.breaks == ()


ENDED = (BrokerStatus.CANCELLED, BrokerStatus.EXPIRED, BrokerStatus.REJECTED)


@pytest.mark.parametrize("status", ENDED)
def test_an_order_that_ended_at_the_broker_alone_is_explained(status: BrokerStatus) -> None:
    order = an_order("SPY")
    found = compare(
        snapshot(closed_orders=(at_broker(order, status=status),)), book(orders=(OwnOrder(order, OrderStatus.WORKING),))
    )
    assert [(one.kind, one.status) for one in found.breaks] == [(BreakKind.ORDER_ENDED, BreakStatus.EXPLAINED)]


def test_orders_that_only_one_side_has_are_named_by_whose_they_are() -> None:
    ours, theirs = an_order("SPY"), an_order("QQQ")
    missing = compare(snapshot(), book(orders=(OwnOrder(ours, OrderStatus.WORKING),)))
    lacked = compare(snapshot(open_orders=(at_broker(theirs),)), book())
    by_hand = compare(snapshot(open_orders=(at_broker(theirs, client_order_id="mine"),)), book())
    assert [kinds(one) for one in (missing, lacked, by_hand)] == [
        [BreakKind.ORDER_MISSING], [BreakKind.ORDER_LACKED], [BreakKind.MANUAL_ORDER],
    ]  # fmt: skip
    assert all(one.open for one in (missing, lacked, by_hand))


def test_an_order_whose_outcome_is_unknown_is_no_break_until_something_is_known() -> None:
    order = an_order("SPY")
    assert compare(snapshot(), book(orders=(OwnOrder(order, OrderStatus.UNKNOWN),))).breaks == ()


NEVER_THERE = (OrderStatus.DENIED, OrderStatus.HELD, OrderStatus.INTENDED, OrderStatus.CANCELLED, OrderStatus.ABSENT)


@pytest.mark.parametrize("status", NEVER_THERE)
def test_an_order_that_works_at_the_broker_and_not_here_has_to_be_looked_at(status: OrderStatus) -> None:
    order = an_order("SPY")
    found = compare(snapshot(open_orders=(at_broker(order),)), book(orders=(OwnOrder(order, status),)))
    assert [one.kind for one in found.open] == [BreakKind.ORDER_DIFFERS]


def test_what_the_broker_calls_filled_beyond_its_fills_halts_until_the_fill_is_listed() -> None:
    order = an_order("SPY")
    found = compare(
        snapshot("3000", {"SPY": "10"}, closed_orders=(at_broker(order, "10", BrokerStatus.FILLED),)),
        book(orders=(OwnOrder(order, OrderStatus.WORKING),)),
    )
    assert [one.kind for one in found.open] == [BreakKind.UNLISTED_FILL]


def test_what_was_accepted_is_no_break_again_and_one_unit_more_is() -> None:
    (found,) = compare(snapshot(positions={"AAPL": "7"}), book()).open
    known = known_difference(1, found.kind, found.symbol, found.ours, found.broker)
    assert known is not None
    assert compare(snapshot(positions={"AAPL": "7"}), book(known=(known,))).breaks == ()
    assert compare(snapshot(), book(known=(known,))).breaks == ()
    (more,) = compare(snapshot(positions={"AAPL": "8"}), book(known=(known,))).open
    assert more.kind is BreakKind.POSITION


def test_a_trade_that_was_left_out_stays_a_known_difference_when_the_broker_tells_of_it_no_more() -> None:
    bought = execution(an_order("GLD"), client_order_id="by-hand-1")
    state = snapshot("3984.65", {"GLD": "10"}, fills=(bought,))
    (found,) = compare(state, book()).open
    known = known_difference(3, found.kind, found.symbol, found.ours, found.broker)
    assert known is not None
    after = book(known=(known,), left_out=frozenset({"t1"}))
    assert compare(state, after).breaks == ()
    assert compare(replace(state, fills=()), after).breaks == ()


@given(
    quantity=st.decimals("0.000001", "100000", places=6),
    price=st.decimals("0.01", "90000", places=6),
    commission=st.decimals("0", "99", places=2),
    side=st.sampled_from(Side),
)
def test_the_text_of_a_trade_gives_back_its_amounts(
    quantity: Decimal, price: Decimal, commission: Decimal, side: Side
) -> None:
    trade = execution(an_order("SPY", side), "a (b) c", str(quantity), str(price), commission=commission)
    text = trade_text(trade)
    symbol, units, cash = trade_amounts(text)
    sign = 1 if side is Side.BUY else -1
    assert (symbol, units, trade_id_of(text)) == ("SPY", sign * quantity, "a (b) c")
    assert abs(cash + sign * quantity * price + commission) <= Decimal("0.005")


SYMBOLS = ("SPY", "QQQ", "GLD", "TLT")


@st.composite
def agreeing(draw: st.DrawFn) -> tuple[BrokerSnapshot, BookSide]:
    """An account of which both sides say the same: booked, unbooked and working orders."""
    cash, positions = Decimal("50000.00"), {}
    theirs: dict[str, Decimal] = {}
    orders, open_orders, closed_orders, fills, told = [], [], [], [], []
    for symbol in SYMBOLS:
        held = Decimal(draw(st.integers(0, 50)))
        positions[symbol], theirs[symbol] = held, held
        order = an_order(symbol, quantity=str(draw(st.integers(2, 30))), session=MONDAY)
        state = draw(st.sampled_from(["none", "working", "unbooked", "booked"]))
        if state == "none":
            continue
        fill = execution(order, f"t-{symbol}", str(order.quantity), str(draw(st.integers(1000, 90000)) / Decimal(100)))
        if state == "working":
            open_orders.append(at_broker(order))
            orders.append(OwnOrder(order, OrderStatus.WORKING))
            continue
        closed_orders.append(at_broker(order, str(order.quantity), BrokerStatus.FILLED))
        told.append(fill)
        theirs[symbol] += order.quantity
        if state == "booked":
            orders.append(OwnOrder(order, OrderStatus.FILLED, order.quantity))
            fills.append(stored(fill))
            positions[symbol] += order.quantity
        else:
            orders.append(OwnOrder(order, OrderStatus.WORKING))
            cash -= (fill.quantity * fill.price).quantize(Decimal("0.01")) + fill.commission
    there = snapshot(
        str(cash),
        {s: str(q) for s, q in theirs.items() if q},
        open_orders=tuple(open_orders),
        closed_orders=tuple(closed_orders),
        fills=tuple(told),
    )
    here = book("50000.00", {s: str(q) for s, q in positions.items() if q}, orders=tuple(orders), fills=tuple(fills))
    return there, here


@given(sides=agreeing())
def test_both_sides_of_the_same_account_agree(sides: tuple[BrokerSnapshot, BookSide]) -> None:
    assert compare(*sides).open == ()
    assert set(kinds(compare(*sides))) <= {BreakKind.UNBOOKED_FILL}


def _perturbations(there: BrokerSnapshot, here: BookSide) -> list[tuple[str, BrokerSnapshot, BookSide]]:
    """One amount of one side, changed by one unit (a cent of cash)."""
    found = []
    for symbol in SYMBOLS:
        more = {**there.positions, symbol: there.positions.get(symbol, Decimal(0)) + ONE}
        found.append((f"position of {symbol}", replace(there, positions=more), here))
        ours = {**here.positions, symbol: here.positions.get(symbol, Decimal(0)) + ONE}
        found.append((f"our position of {symbol}", there, replace(here, positions=ours)))
    cent = Decimal("0.01")
    found.append(("cash", replace(there, account=replace(there.account, cash=there.account.cash + cent)), here))
    found.append(("our cash", there, replace(here, cash=here.cash + cent)))
    for name in ("open_orders", "closed_orders"):
        orders = getattr(there, name)
        for i, order in enumerate(orders):
            for field in ("quantity", "filled"):
                other = replace(order, **{field: getattr(order, field) + ONE})
                changes: dict[str, Any] = {name: (*orders[:i], other, *orders[i + 1 :])}
                changed = replace(there, **changes)
                found.append((f"{field} of {order.symbol} in {name}", changed, here))
    for i, fill in enumerate(here.fills):
        other_fill = replace(fill, commission=fill.commission + cent)
        fills = (*here.fills[:i], other_fill, *here.fills[i + 1 :])
        found.append((f"stored commission of {fill.symbol}", there, replace(here, fills=fills, cash=here.cash - cent)))
    return found


@given(sides=agreeing())
def test_one_amount_that_is_off_by_one_unit_is_exactly_one_break(sides: tuple[BrokerSnapshot, BookSide]) -> None:
    before = set(compare(*sides).breaks)
    for what, there, here in _perturbations(*sides):
        new = [one for one in compare(there, here).breaks if one not in before]
        assert len(new) == 1, (what, new)


def _large(orders: int, positions: int) -> tuple[BrokerSnapshot, BookSide]:
    ours, theirs = [], []
    for number in range(orders):
        order = an_order(f"S{number}", session=MONDAY)
        ours.append(OwnOrder(order, OrderStatus.WORKING))
        theirs.append(at_broker(order))
    held = {f"P{number}": str(number + 1) for number in range(positions)}
    dividends = tuple(
        Dividend(f"P{n}", FRIDAY, Decimal(1), Decimal(1), Decimal(n + 1) + Decimal("0.03")) for n in range(40)
    )
    there = snapshot("4999.99", held, open_orders=tuple(theirs))
    return there, book(positions=held, orders=tuple(ours), dividends=dividends)


def test_five_hundred_orders_and_two_hundred_positions_take_less_than_two_seconds() -> None:
    there, here = _large(500, 200)
    began = time.process_time()
    found = compare(there, here)
    assert time.process_time() - began < 2
    assert (found.orders, found.positions, len(found.breaks)) == (500, 200, 1)


BROKEN: dict[str, dict[str, Any]] = {
    "cash is NaN": {"account": BrokerAccount("A1", "USD", Decimal("NaN"), Decimal(0))},
    "cash is nothing": {"account": BrokerAccount("A1", "USD", None, Decimal(0))},  # type: ignore[arg-type]
    "buying_power is -1": {"account": BrokerAccount("A1", "USD", Decimal(1), Decimal(-1))},
    "position of SPY is -3": {"positions": {"SPY": Decimal(-3)}},
    "position of SPY is 1E+18": {"positions": {"SPY": Decimal("1E18")}},
    "position of SPY is 0.1, which": {"positions": {"SPY": 0.1}},
    "is broken: quantity of order": {"open_orders": (at_broker(an_order("SPY"), quantity=Decimal("Infinity")),)},
    "12 filled of 10": {"open_orders": (at_broker(an_order("SPY"), "12"),)},
    "twice": {"open_orders": (at_broker(an_order("SPY")), at_broker(an_order("SPY")))},
    "price of fill t1 is -1": {"fills": (execution(an_order("SPY"), price="-1"),)},
    "commission of fill t1 is NaN": {"fills": (execution(an_order("SPY"), commission=Decimal("NaN")),)},
}


@pytest.mark.parametrize("said", BROKEN)
def test_a_broken_snapshot_is_refused_and_the_field_named(said: str) -> None:
    with pytest.raises(SnapshotRefusedError, match=said.replace("+", r"\+")):
        checked(snapshot(**BROKEN[said]), "A1", "USD", short=False)


def test_a_snapshot_of_another_account_or_currency_is_refused() -> None:
    with pytest.raises(SnapshotRefusedError, match="of account 'A1', and account 'A2' was asked for"):
        checked(snapshot(), "A2", "USD", short=False)
    with pytest.raises(SnapshotRefusedError, match="kept in 'USD', not in USDT"):
        checked(snapshot(), "A1", "USDT", short=False)
    assert checked(snapshot(positions={"SPY": "-3"}), "A1", "USD", short=True)


def test_the_reason_that_halts_names_the_break_and_how_to_settle_it() -> None:
    (found,) = compare(snapshot(positions={"AAPL": "7"}), book()).open
    reason = halting_reason("paper", [(4, found), (5, found)])
    assert reason.startswith("break 4 (position of AAPL: 0 here, 7 at the broker) and 1 more is open")
    assert "--accept 4" in reason
    assert halting_reason("paper", []) == ""


PRICES = st.integers(1, 10**7).map(lambda units: Decimal(units) / 10_000)


@given(
    st.lists(st.tuples(PRICES, st.integers(1, 10**6), st.sampled_from(Side)), min_size=1, max_size=30),
    st.booleans(),
    st.sampled_from([Decimal(0), Decimal("0.01") * 50, Decimal("-0.01") * 50]),
)
def test_a_broker_that_keeps_parts_of_a_cent_agrees_however_long_it_trades(
    trades: list[tuple[Decimal, int, Side]], booked: bool, more: Decimal
) -> None:
    """Thirty trades round at most 15 cents away: half a dollar more is exactly one break."""
    ours = theirs = Decimal(10**9)
    orders, fills = [], []
    for number, (price, lots, side) in enumerate(trades):
        quantity = Decimal(lots) / 10**5
        commission = (quantity * price / 1000).quantize(Decimal("1e-8"))
        order = an_order(f"S{number}", side, str(quantity))
        orders.append(order)
        fills.append(execution(order, f"t{number}", str(quantity), str(price), commission=commission))
        signed = quantity if side is Side.BUY else -quantity
        theirs -= signed * price + commission
        ours -= (quantity * price).quantize(Decimal("0.01")).copy_sign(signed) + commission.quantize(Decimal("0.01"))
    positions = {one.symbol: one.quantity if one.side is Side.BUY else -one.quantity for one in fills}
    told = snapshot(
        f"{theirs + more:f}", {symbol: str(units) for symbol, units in positions.items()}, fills=tuple(fills)
    )
    kept = (
        book(f"{ours:f}", {symbol: str(units) for symbol, units in positions.items()}, fills=tuple(map(stored, fills)))
        if booked
        else book(f"{10**9}")
    )
    found = compare(told, replace(kept, orders=tuple(OwnOrder(one, OrderStatus.FILLED) for one in orders)))
    assert len(found.open) == (1 if more else 0)


def test_a_trade_of_others_from_before_the_book_began_is_no_break_and_one_of_its_first_moment_is() -> None:
    bought = execution(an_order("GLD"), client_order_id="by-hand-1")
    before = compare(snapshot(fills=(bought,)), book(begins=NOW + timedelta(seconds=1)))
    assert before.breaks == ()
    since = compare(snapshot("3984.65", {"GLD": "10"}, fills=(bought,)), book(begins=NOW))
    assert kinds(since) == [BreakKind.MANUAL_TRADE]
