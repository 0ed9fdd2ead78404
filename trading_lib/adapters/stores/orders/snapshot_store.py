"""Snapshots of brokers' accounts, as they were compared; rows are only ever added."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Engine, func, select, text
from sqlalchemy.dialects.postgresql import insert

from trading_lib.adapters.stores.postgres.immutable_rows import writing
from trading_lib.adapters.stores.postgres.json_codec import decode, encode
from trading_lib.adapters.stores.postgres.revisions import lock_key
from trading_lib.adapters.stores.postgres.schema import broker_snapshots as table
from trading_lib.execution.broker import BrokerOrder, Execution, Movement
from trading_lib.execution.reconciliation.snapshot import BrokerSnapshot

# Movements of cash are stored with so many snapshots; what is older stands in earlier ones.
MOVEMENTS_OF = timedelta(days=21)


class SnapshotStore:
    """The table ``broker_snapshots``."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, book: str, account: str, session: date, snapshot: BrokerSnapshot) -> int:
        """Store a snapshot that was compared and return its number."""
        with writing(self._engine, book) as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": lock_key("broker_snapshots")})
            number: int = connection.execute(select(func.coalesce(func.max(table.c.number), 0))).scalar_one() + 1
            values = {"number": number, "book": book, "account": account, "session": session}
            values |= {"taken_at": snapshot.taken_at, "payload": encode(_payload(snapshot))}
            connection.execute(insert(table).values(values))
        return number

    def account_id(self, book: str, account: str) -> str:
        """Return the broker's own id of the account in the first snapshot that names it, "" where none does."""
        query = (
            select(table.c.payload)
            .where(table.c.book == book, table.c.account == account)
            .where(table.c.payload["account"].as_string() != "")
            .order_by(table.c.number)
            .limit(1)
        )
        with self._engine.connect() as connection:
            payload = connection.execute(query).scalar_one_or_none()
        return "" if payload is None else str(decode(payload)["account"])

    def first_movements(self, book: str, account: str) -> tuple[datetime, frozenset[str]] | None:
        """Return when movements of the account's cash were first read, and the ids of those that there were then."""
        query = (
            select(table.c.taken_at, table.c.payload["movements"])
            .where(table.c.book == book, table.c.account == account)
            .where(func.jsonb_typeof(table.c.payload["movements"]) == "array")
            .order_by(table.c.number)
            .limit(1)
        )
        with self._engine.connect() as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            return None
        return row[0], frozenset(str(one["movement_id"]) for one in decode(row[1]))

    def payloads(self, book: str) -> list[dict[str, Any]]:
        """Return what every snapshot of a book said, the oldest first."""
        query = select(table.c.payload).where(table.c.book == book).order_by(table.c.number)
        with self._engine.connect() as connection:
            return [decode(payload) for payload in connection.execute(query).scalars()]


def _payload(snapshot: BrokerSnapshot) -> dict[str, Any]:
    """Return the amounts; the broker's own words stand with the events of orders."""
    return {
        "account": snapshot.account.account,
        "currency": snapshot.account.currency,
        "cash": snapshot.account.cash,
        "buying_power": snapshot.account.buying_power,
        "positions": dict(snapshot.positions),
        "open_orders": [_order(order) for order in snapshot.open_orders],
        "closed_orders": [_order(order) for order in snapshot.closed_orders],
        "fills": [_fill(fill) for fill in snapshot.fills],
        "busts": [{"trade_id": bust.trade_id, "at": bust.at, "reason": bust.reason} for bust in snapshot.busts],
        "since": snapshot.since,
        "cursor": snapshot.cursor,
        "movements": _movements(snapshot),
    }


def _movements(snapshot: BrokerSnapshot) -> list[dict[str, Any]] | None:
    """Return the newest movements; None of a broker that tells none."""
    if snapshot.movements is None:
        return None
    return [_movement(one) for one in snapshot.movements if one.at >= snapshot.taken_at - MOVEMENTS_OF]


def _movement(one: Movement) -> dict[str, Any]:
    return {
        "movement_id": one.movement_id,
        "kind": one.kind,
        "amount": one.amount,
        "symbol": one.symbol,
        "at": one.at,
        "description": one.description,
        "trade_id": one.trade_id,
    }


def _order(order: BrokerOrder) -> dict[str, Any]:
    return {
        "client_order_id": order.client_order_id,
        "broker_order_id": order.broker_order_id,
        "symbol": order.symbol,
        "side": order.side,
        "quantity": order.quantity,
        "filled": order.filled,
        "status": order.status,
        "reason": order.reason,
    }


def _fill(fill: Execution) -> dict[str, Any]:
    return {
        "trade_id": fill.trade_id,
        "client_order_id": fill.client_order_id,
        "symbol": fill.symbol,
        "side": fill.side,
        "quantity": fill.quantity,
        "price": fill.price,
        "commission": fill.commission,
        "fee_quantity": fill.fee_quantity,
        "filled_at": fill.filled_at,
    }
