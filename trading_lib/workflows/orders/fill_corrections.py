"""What a broker reports beside plain fills of our orders: trades of others, struck fills, and fills that come late."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from datetime import date, datetime
from typing import TYPE_CHECKING

from sqlalchemy import Connection, update

from trading_lib.adapters.stores.books.repair_store import RepairAction, RepairStore
from trading_lib.adapters.stores.books.state_store import StateStore
from trading_lib.adapters.stores.orders.break_store import BreakStore
from trading_lib.adapters.stores.orders.order_batches import Strike
from trading_lib.adapters.stores.postgres.schema import fills as fills_table
from trading_lib.domain.book.orders import EvidenceSource, Fill, OrderEvent
from trading_lib.domain.market.sessions import SessionCalendar
from trading_lib.execution.broker import Bust, Execution
from trading_lib.execution.fees import SUFFIX
from trading_lib.execution.order_path.tracked import StrikeFill
from trading_lib.execution.reconciliation.amounts import bust_break, foreign_break
from trading_lib.execution.reconciliation.breaks import Break, BreakStatus
from trading_lib.workflows.orders.own_records import beginning
from trading_lib.workflows.orders.reconciling import tell_breaks

if TYPE_CHECKING:
    from trading_lib.workflows.trade.broker_access import AtBrokers

LOG = logging.getLogger(__name__)
BY = "the broker"


def session_of(filled_at: datetime, calendar: SessionCalendar) -> date:
    """Return the session in whose accounting a fill falls: the first that is decided at its moment or later."""
    newest = calendar.latest_decidable(filled_at)
    return newest if calendar.decision_time(newest) == filled_at else calendar.next(newest)


def _settled(at: AtBrokers) -> date | None:
    portfolio = StateStore(at.engine).latest_portfolio(at.book.name)
    return portfolio.session if portfolio else None


def store_foreign(at: AtBrokers, account: str, executions: Iterable[Execution]) -> None:
    """Open a break for each trade of the account that is not of an order of the book; one that is known stays so.

    Trades from before the book began are part of what the account began with.
    """
    begins = beginning(at)
    _save(at, account, [foreign_break(execution) for execution in executions if execution.filled_at >= begins])


def is_settled(at: AtBrokers, account: str, execution: Execution) -> bool:
    """Whether nobody asks any more about a trade that is not of an order of the book.

    Either it is from before the book began, or the operator has settled its break.
    """
    if execution.filled_at < beginning(at):
        return True
    accepted = BreakStore(at.engine).breaks(at.book.name, account, [BreakStatus.ACCEPTED])
    return any(one.identity == foreign_break(execution).identity for one in accepted)


def _save(at: AtBrokers, account: str, found: list[Break]) -> None:
    if not found:
        return
    session = _settled(at) or at.book.opened_session
    stored = BreakStore(at.engine).save(at.book.name, account, session, found, at.settings.clock(), complete=False)
    tell_breaks(at, account, stored)


def striker(at: AtBrokers, account: str) -> Strike:
    """Return what strikes a stored fill on its broker's word.

    One that no portfolio has booked is struck, and never booked. One that is booked stays, as the portfolio has it: it
    becomes an open break, which halts what adds risk until the operator settles it.
    """

    def strike(connection: Connection, client_order_id: str, write: StrikeFill) -> None:
        _strike(at, account, connection, client_order_id, write.bust)

    return strike


def _strike(at: AtBrokers, account: str, connection: Connection, client_order_id: str, bust: Bust) -> None:
    fills = [fill for fill in at.orders.fills(at.book.name) if fill.client_order_id == client_order_id]
    fill = next((fill for fill in fills if fill.trade_id == bust.trade_id), None)
    if fill is None:
        return
    settled = _settled(at)
    if settled is not None and fill.session <= settled:
        _save(at, account, [bust_break(fill, bust)])
        return
    number = _recorded(at, fill, bust)
    same = (fills_table.c.broker == fill.broker) & fills_table.c.trade_id.in_([fill.trade_id, fill.trade_id + SUFFIX])
    connection.execute(update(fills_table).where(same).values(voided_by=number))


def _recorded(at: AtBrokers, fill: Fill, bust: Bust) -> int:
    why = bust.reason or "no reason given"
    detail = f"{fill.broker} struck {fill.side} {fill.quantity:f} {fill.symbol} at {fill.price:f}: {why}"
    return (
        RepairStore(at.engine)
        .add(at.book.name, fill.session, RepairAction.VOID_FILL, fill.trade_id, detail, "", BY, at.settings.clock())
        .number
    )


def record_busts(at: AtBrokers, account: str, broker: str, busts: Iterable[Bust]) -> None:
    """Strike the stored fills of an account that its broker has struck; the same again changes nothing."""
    stored = {fill.trade_id: fill for fill in at.orders.fills(at.book.name) if fill.broker == broker}
    for bust in busts:
        fill = stored.get(bust.trade_id)
        if fill is None or _is_noted(at, fill, bust):
            continue
        with at.engine.begin() as connection:
            _strike(at, account, connection, fill.client_order_id, bust)
        at.orders.record(
            fill.client_order_id, OrderEvent.BUST, at.settings.clock(), bust.trade_id, source=EvidenceSource.POLL,
            raw=bust.raw,
        )  # fmt: skip
        at.orders.refresh_filled(fill.client_order_id)


def _is_noted(at: AtBrokers, fill: Fill, bust: Bust) -> bool:
    events = at.orders.events(fill.client_order_id)
    return any(event is OrderEvent.BUST and detail == bust.trade_id for event, _, _, detail in events)
