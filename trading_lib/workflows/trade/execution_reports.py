"""Execution reports of the brokers of a book's accounts: fills since each cursor, and orders that ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal

from trading_lib.adapters.brokers.simulated import SimulatedOpening
from trading_lib.adapters.stores.books.account_store import AccountStore
from trading_lib.adapters.stores.orders.companions import store_companions
from trading_lib.adapters.stores.orders.order_history import OrderHistory
from trading_lib.domain.book.accounts import Account
from trading_lib.domain.book.orders import Fill, Order, OrderEvent
from trading_lib.domain.book.portfolio import Portfolio
from trading_lib.domain.market.sessions import SessionCalendar
from trading_lib.execution.adjusted_orders import adjusted_by
from trading_lib.execution.broker import Broker, BrokerOrder, BrokerStatus, Bust, Execution, Seen, is_same
from trading_lib.execution.fees import SUFFIX, commission_of, fee_companion
from trading_lib.workflows.orders.fill_corrections import is_settled, record_busts, session_of, store_foreign
from trading_lib.workflows.orders.guarding.guards import is_asked
from trading_lib.workflows.trade.book_run import BookRun
from trading_lib.workflows.trade.broker_access import account_of, broker_of, is_real, refuse_past


@dataclass
class Reports:
    """Outcome of a session's orders.

    Attributes
    ----------
    fills
        Of the session, the oldest first within an account.
    ended
        Client order id -> the event that ended it, and why the rest of it was not filled.
    unfilled
        Ids of orders of which not everything was filled.
    filled
        Ids of orders that are filled, and all of whose fills are known.
    still_open
        Ids of orders that may still fill, whose state is unknown, or of which not every fill has been reported.
    cursors
        Account -> the cursor after its fills. An account keeps the one it has while its fills reach beyond the session,
        or one of its trades is not of the book and not settled: the comparison with the broker must find it again.
    companions
        Orders of which ``fills`` has the fill, and that were never sent: fees that a broker kept in units.
    foreign
        Account -> trades in it that are not of an order of the book. They are not booked.
    busts
        Account, broker, and the fills that it has struck.
    """

    fills: list[Fill] = field(default_factory=list)
    ended: dict[str, tuple[OrderEvent, str]] = field(default_factory=dict)
    unfilled: set[str] = field(default_factory=set)
    filled: set[str] = field(default_factory=set)
    still_open: set[str] = field(default_factory=set)
    cursors: dict[str, str] = field(default_factory=dict)
    companions: list[tuple[Order, Fill]] = field(default_factory=list)
    foreign: dict[str, list[Execution]] = field(default_factory=dict)
    busts: list[tuple[str, str, tuple[Bust, ...]]] = field(default_factory=list)

    def standing(self, fills: Sequence[Fill]) -> list[Fill]:
        """Return stored fills without those that a broker has struck."""
        struck = {(broker, bust.trade_id) for _, broker, busts in self.busts for bust in busts}
        struck |= {(broker, trade + SUFFIX) for broker, trade in struck}
        return [fill for fill in fills if (fill.broker, fill.trade_id) not in struck]


async def reports_of(
    run: BookRun, portfolio: Portfolio, opening: SimulatedOpening, orders: Sequence[Order], day: date
) -> Reports:
    """Ask every account's broker what became of ``orders`` by session ``day``.

    Parameters
    ----------
    portfolio, opening
        Of the previous close, and the opening of ``day``: what the simulated broker works with.
    """
    reports = Reports()
    stored = AccountStore(run.engine).cursors(run.book.name)
    for account in run.settings.configuration.accounts.accounts:
        own = [order for order in orders if account_of(run, order) == account]
        if not own and is_real(account, run.settings) and not is_asked(run, account):
            continue
        refuse_past(run, [account])
        broker = broker_of(run, account, portfolio, opening)
        if not own and broker.capabilities.simulated:
            reports.cursors[account.name] = day.isoformat()
            continue
        await broker.connect()
        try:
            # The simulated broker's cursor is a session, and a book settles from the session it stands at.
            simulated = broker.capabilities.simulated
            before = portfolio.session.isoformat() if simulated else stored.get(account.name, "")
            # A cursor that had to wait returns fills again that earlier sessions have booked.
            booked = {} if simulated else _booked(run, broker.name)
            await _fills(run, broker, account, before, day, booked, reports)
            executions = {**booked, **{fill.trade_id: fill for fill in reports.fills if fill.broker == broker.name}}
            for order in own:
                fills = [one for one in executions.values() if one.client_order_id == order.client_order_id]
                known = sum((fill.quantity for fill in fills if fill.session <= day), Decimal(0))
                await _status(run, broker, order, known, reports)
        finally:
            await broker.close()
    return reports


def _booked(run: BookRun, broker: str) -> dict[str, Fill]:
    """Trade id -> stored fill."""
    return {fill.trade_id: fill for fill in run.orders.fills(run.book.name) if fill.broker == broker}


async def _fills(
    run: BookRun,
    broker: Broker,
    account: Account,
    cursor: str,
    day: date,
    booked: Mapping[str, Fill],
    reports: Reports,
) -> None:
    found = await broker.fills_since(cursor)
    by_id = {execution.client_order_id for execution in found.fills}
    stored = run.orders.orders(run.book.name, identities=by_id) if by_id else []
    orders = {order.client_order_id: order for order, _ in stored}
    struck = {bust.trade_id for bust in found.busts}
    if struck:
        reports.busts.append((account.name, broker.name, found.busts))
    complete = True
    for execution in found.fills:
        if execution.trade_id in struck or (execution.trade_id in booked and booked[execution.trade_id].session != day):
            continue
        if session_of(execution.filled_at, run.settings.calendar) > day:
            complete = False
            continue
        if execution.client_order_id not in orders:
            # A trade that the book has adopted is stored, and booked by its session.
            if execution.trade_id not in booked:
                reports.foreign.setdefault(account.name, []).append(execution)
                complete = complete and is_settled(run, account.name, execution)
            continue
        fill = fill_of(execution, broker.name, day)
        reports.fills.append(fill)
        if execution.fee_quantity:
            companion = fee_companion(orders[execution.client_order_id], fill, execution.fee_quantity)
            reports.companions.append(companion)
            reports.fills.append(companion[1])
    reports.cursors[account.name] = found.cursor if complete else cursor


async def _status(run: BookRun, broker: Broker, order: Order, known: Decimal, reports: Reports) -> None:
    """Note what became of an order of which ``known`` units are filled by fills up to the session."""
    identity = order.client_order_id
    found = await broker.find(identity)
    if found.seen is not Seen.FOUND or found.order is None or not _is_ours(run, found.order, order):
        reports.still_open.add(identity)
        reports.unfilled.add(identity)
        return
    at_broker: BrokerOrder = found.order
    # Fills are reported late, or belong to a later session: until they are booked, the order has not ended here.
    if at_broker.status.is_open or at_broker.filled > known:
        reports.still_open.add(identity)
        reports.unfilled.add(identity)
    elif at_broker.status is BrokerStatus.FILLED:
        reports.filled.add(identity)
    else:
        reports.unfilled.add(identity)
        event = OrderEvent.EXPIRE if at_broker.status is BrokerStatus.EXPIRED else OrderEvent.CANCEL
        reports.ended[identity] = event, at_broker.reason or f"{at_broker.status.lower()} by {broker.name}"


def _is_ours(run: BookRun, at_broker: BrokerOrder, order: Order) -> bool:
    """Whether it is the order that was sent, adjusted for a split perhaps."""
    if is_same(at_broker, order):
        return True
    (stored,) = OrderHistory(run.engine).orders(run.book.name, identities=[order.client_order_id])
    return adjusted_by(at_broker, order, stored.broker_order_id or "") is not None


def counting_session(filled_at: datetime, calendar: SessionCalendar, settled: date | None) -> date:
    """Return the session in which a fill counts that is learned of now; what is settled already is never added to.

    Parameters
    ----------
    settled
        The newest session of the book that is settled; None where none is.
    """
    session = session_of(filled_at, calendar)
    return session if settled is None or session > settled else calendar.next(settled)


def fill_of(execution: Execution, broker: str, day: date) -> Fill:
    """Return what is stored of a broker's fill; it falls in the accounting of session ``day``."""
    return Fill(
        trade_id=execution.trade_id,
        broker=broker,
        client_order_id=execution.client_order_id,
        symbol=execution.symbol,
        side=execution.side,
        quantity=execution.quantity,
        price=execution.price,
        reference_price=execution.price if execution.reference_price is None else execution.reference_price,
        commission=commission_of(execution),
        filled_at=execution.filled_at,
        session=day,
    )


def save_aside(run: BookRun, reports: Reports) -> None:
    """Store what stands beside the fills of orders: companions, struck fills, and breaks of trades of others."""
    store_companions(run.engine, run.book.name, reports.companions, run.settings.clock(), "kept by the broker")
    for account, broker, busts in reports.busts:
        record_busts(run, account, broker, busts)
    for account, executions in reports.foreign.items():
        store_foreign(run, account, executions)


def save_cursors(run: BookRun, reports: Reports) -> None:
    """Store how far each account's fills have been read; after the fills themselves."""
    AccountStore(run.engine).save_cursors(run.book.name, reports.cursors, run.settings.clock())
