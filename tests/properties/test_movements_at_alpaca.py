"""Any week of sales, purchases and movements of cash, told by Alpaca's adapter on the simulator: all is explained."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders.books import order as stored_order
from tests.peers.brokers.alpaca_account import AlpacaAccount
from trading_lib.adapters.broker_simulator.control.actions import Actions
from trading_lib.domain.book.flows import Flow
from trading_lib.domain.book.orders import Order, OrderStatus, Side
from trading_lib.domain.book.portfolio import to_cent
from trading_lib.execution.broker import Answer, Outcome
from trading_lib.execution.reconciliation.amounts import movement
from trading_lib.execution.reconciliation.book_side import BookSide, Dividend, OwnOrder
from trading_lib.execution.reconciliation.compare import Comparison, compare
from trading_lib.execution.reconciliation.snapshot import BrokerSnapshot, checked
from trading_lib.workflows.trade.execution_reports import fill_of

CENTS = st.integers(1, 90_000).map(lambda cents: Decimal(cents) / 100)
EVENTS = st.one_of(
    st.tuples(st.sampled_from(["FEE", "INT", "CSD", "CSW", "JNLC", "late flow"]), CENTS),
    st.tuples(
        st.sampled_from(["dividend", "unpaid dividend"]), st.integers(1, 900).map(lambda parts: Decimal(parts) / 1000)
    ),
)
SIDES = st.sampled_from([None, Side.BUY, Side.SELL])
DAYS = st.lists(st.tuples(SIDES, st.lists(EVENTS, max_size=3)), min_size=1, max_size=5)


class Week:
    """An account, and what a book of it would have."""

    def __init__(self) -> None:
        self.account = AlpacaAccount()
        self.actions = Actions(self.account.simulator)
        self.actions.settings({"account": "alpaca", "settings": {"sale_fees": True}})
        self.happen("FEE", Decimal("3.21"))
        first = self.snapshot()
        self.before = frozenset(one.movement_id for one in first.movements or ())
        self.cash = to_cent(first.account.cash)
        self.orders: list[Order] = []
        self.dividends: list[Dividend] = []
        self.flows: list[Flow] = []

    def snapshot(self) -> BrokerSnapshot:
        broker, since = self.account.adapter, self.account.clock.now() - timedelta(days=20)

        async def read() -> BrokerSnapshot:
            await broker.connect()
            fills = await broker.fills_since("")
            told = BrokerSnapshot(
                await broker.account(), await broker.positions(), await broker.open_orders(),
                await broker.closed_orders(since), fills.fills, self.account.clock.now(), since,
                movements=await broker.movements_since(since),
            )  # fmt: skip
            return checked(told, "", "USD", short=False)

        return asyncio.run(read())

    def happen(self, activity: str, amount: Decimal) -> None:
        signed = -amount if activity in ("FEE", "CSW") else amount
        asked = {"account": "alpaca", "asset": "USD", "amount": str(signed), "activity": activity}
        self.actions.deposit(asked)

    def event(self, what: str, amount: Decimal) -> None:
        day = self.account.clock.now().date()
        if what.endswith("dividend"):
            held = self.account.booked.balance("SPY")
            if credited := to_cent(held * amount):
                self.dividends.append(Dividend("SPY", day, amount, held, credited))
                if what == "dividend":
                    self.actions.dividend({"symbol": "SPY", "per_share": str(amount)})
            return
        if what in ("CSD", "JNLC", "late flow"):
            self.flows.append(Flow(day, amount, None, "main"))
        if what == "CSW":
            self.flows.append(Flow(day, amount, "main", None))
        if what != "late flow":
            self.happen(what, amount)

    def trade(self, side: Side, number: int) -> None:
        if side is Side.SELL and self.account.booked.balance("SPY") < 3:
            return
        order = stored_order("SPY", side, "paper", number, quantity=Decimal(3))

        async def send() -> Answer:
            await self.account.adapter.connect()
            return await self.account.adapter.submit(self.account.intend(order))

        answer = asyncio.run(send())
        assert answer.outcome is Outcome.ACCEPTED, answer.reason
        self.orders.append(order)

    def compared(self) -> Comparison:
        told, day = self.snapshot(), self.account.clock.now().date()
        fills = [fill_of(one, "alpaca", day) for one in told.fills]
        moved = [movement(one) for one in told.fills]
        flows = sum((sum(gained for _, gained in flow.sides()) for flow in self.flows), Decimal(0))
        credited = sum((one.amount for one in self.dividends), Decimal(0))
        held = sum((units for units, _ in moved), Decimal(0))
        cash = self.cash + sum((paid for _, paid in moved), Decimal(0)) + flows + credited
        book = BookSide(
            name="paper",
            account="main",
            session=day,
            cash=cash,
            positions={"SPY": held} if held else {},
            orders=tuple(OwnOrder(one, OrderStatus.FILLED, one.quantity) for one in self.orders),
            fills=tuple(fills),
            dividends=tuple(self.dividends),
            flows=tuple(self.flows),
            before=self.before,
        )
        return compare(told, book)


def lived(days: Sequence[tuple[Side | None, list[tuple[str, Decimal]]]]) -> Week:
    week = Week()
    for number, (side, events) in enumerate(days):
        if side is not None:
            week.trade(side, number)
        week.account.opening()
        week.account.simulator.tick()
        for what, amount in events:
            week.event(what, amount)
        week.account.end_of_day()
        week.account.simulator.tick()
    return week


@settings(max_examples=25, deadline=None)
@given(DAYS)
def test_any_week_is_explained_to_the_cent(days: list[tuple[Side | None, list[tuple[str, Decimal]]]]) -> None:
    assert lived([(Side.BUY, []), (Side.SELL, []), (Side.BUY, []), *days]).compared().open == ()


@settings(max_examples=15, deadline=None)
@given(DAYS, st.sampled_from(["1000000.01", "-0.01"]))
def test_what_no_record_tells_of_is_exactly_one_break(
    days: list[tuple[Side | None, list[tuple[str, Decimal]]]], more: str
) -> None:
    """A cent less without any record, where nothing else is late; or more than all that may be late."""
    told = [(side, [one for one in events if one[0] in ("FEE", "INT")]) for side, events in days]
    week = lived([(Side.BUY, []), (Side.SELL, []), *(told if more == "-0.01" else days)])
    assert week.compared().open == ()
    week.actions.deposit({"account": "alpaca", "asset": "USD", "amount": more, "activity": "JNLC"})
    assert len(week.compared().open) == 1
