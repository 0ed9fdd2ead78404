"""Snapshots: what a broker says of an account, read until two readings in a row agree."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from trading_lib.domain.book.accounts import Account
from trading_lib.domain.book.orders import OPEN_STATUSES
from trading_lib.domain.errors import BrokerUnavailableError
from trading_lib.execution.broker import Broker
from trading_lib.execution.reconciliation.snapshot import BrokerSnapshot, checked

if TYPE_CHECKING:
    from trading_lib.workflows.trade.broker_access import AtBrokers

# Orders of at least so many days are compared.
DAYS = 10
# Movements are read from so long before the first comparison: what is dated back, or was on its way, is known then.
BEFORE_FIRST = timedelta(days=14)
# An account in which something trades at this very moment is read again.
READINGS = 3


async def snapshot_of(at: AtBrokers, account: Account, broker: Broker) -> BrokerSnapshot:
    """Read an account from its broker, and check every amount before it is believed.

    Parameters
    ----------
    broker
        Of the account, connected.

    Raises
    ------
    SnapshotRefusedError
        When it is another account, or no account can be as it is said to be.
    BrokerUnavailableError
        When there is no answer, or the account does not stand still.
    """
    from trading_lib.adapters.stores.books.account_store import AccountStore
    from trading_lib.adapters.stores.orders.snapshot_store import SnapshotStore

    cursor = AccountStore(at.engine).cursors(at.book.name).get(account.name, "")
    since, moved_since = _since(at), _moved_since(at, account)
    before = await _reading(broker, cursor, since, moved_since, at.settings.clock())
    for _ in range(READINGS):
        after = await _reading(broker, cursor, since, moved_since, at.settings.clock())
        if _moves(before) == _moves(after):
            known = account.broker_account or SnapshotStore(at.engine).account_id(at.book.name, account.name)
            return checked(after, known, account.currency, broker.capabilities.short)
        before = after
    raise BrokerUnavailableError(
        f"account {account.name} at {broker.name} traded while it was read, {READINGS} times",
        "compare again when it stands still",
    )


def _since(at: AtBrokers) -> datetime:
    from trading_lib.adapters.stores.orders.order_history import OrderHistory

    open_orders = OrderHistory(at.engine).orders(at.book.name, statuses=OPEN_STATUSES)
    sent = [stored.sent_at for stored in open_orders if stored.sent_at is not None]
    recent = at.settings.clock() - timedelta(days=DAYS)
    # A broker's clock may be behind ours.
    return min([recent, *(moment - timedelta(hours=1) for moment in sent)])


def _moved_since(at: AtBrokers, account: Account) -> datetime:
    from trading_lib.adapters.stores.orders.snapshot_store import SnapshotStore

    first = SnapshotStore(at.engine).first_movements(at.book.name, account.name)
    return (at.settings.clock() if first is None else first[0]) - BEFORE_FIRST


async def _reading(
    broker: Broker, cursor: str, since: datetime, moved_since: datetime, now: datetime
) -> BrokerSnapshot:
    fills = await broker.fills_since(cursor)
    movements = getattr(broker, "movements_since", None)
    return BrokerSnapshot(
        account=await broker.account(),
        positions=dict(await broker.positions()),
        open_orders=tuple(await broker.open_orders()),
        closed_orders=tuple(await broker.closed_orders(since)),
        fills=tuple(fills.fills),
        taken_at=now,
        since=since,
        cursor=fills.cursor,
        busts=tuple(fills.busts),
        movements=None if movements is None else tuple(await movements(moved_since)),
    )


def _moves(reading: BrokerSnapshot) -> object:
    """Return what changes when an account trades; prices, and with them its buying power, always do."""
    orders = {(order.broker_order_id, str(order.status), str(order.filled)) for order in reading.orders}
    trades = {fill.trade_id for fill in reading.fills}
    amounts = {symbol: str(units) for symbol, units in reading.positions.items()}
    moved = {one.movement_id for one in reading.movements or ()}
    return orders, trades, amounts, str(reading.account.cash), moved
