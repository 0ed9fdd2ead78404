"""Repairs of books, in order; rows are only ever added."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import Engine, func, select, text
from sqlalchemy.dialects.postgresql import insert

from trading_lib.adapters.stores.postgres.immutable_rows import writing
from trading_lib.adapters.stores.postgres.revisions import lock_key
from trading_lib.adapters.stores.postgres.schema import book_repairs as table
from trading_lib.domain.market.sessions import require_aware


class RepairAction(StrEnum):
    """What a repair can do."""

    CANCEL_ORDER = "CANCEL_ORDER"
    COMPLETE_ORDER = "COMPLETE_ORDER"
    VOID_FILL = "VOID_FILL"
    CLOSE_SESSION = "CLOSE_SESSION"
    ARM_BOOK = "ARM_BOOK"


@dataclass(frozen=True, slots=True)
class Repair:
    """One thing that was done.

    Attributes
    ----------
    session
        The session whose order, fill or tasks it is about.
    subject
        Client order id, trade id, or the session.
    """

    number: int
    book: str
    session: date
    action: RepairAction
    subject: str
    detail: str
    note: str
    repaired_by: str
    repaired_at: datetime


class RepairStore:
    """The repairs of every book in one database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(
        self,
        book: str,
        session: date,
        action: RepairAction,
        subject: str,
        detail: str,
        note: str,
        repaired_by: str,
        at: datetime,
    ) -> Repair:
        """Store what is about to be done and return it with its number."""
        with writing(self._engine, book) as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": lock_key("book_repairs")})
            newest = connection.execute(select(func.coalesce(func.max(table.c.number), 0))).scalar_one()
            repair = Repair(
                newest + 1, book, session, action, subject, detail, note, repaired_by, require_aware(at, "at")
            )
            values = {name: getattr(repair, name) for name in Repair.__dataclass_fields__}
            connection.execute(insert(table).values(values | {"action": str(action)}))
        return repair

    def repairs(self, book: str | None = None) -> list[Repair]:
        """Return the repairs of one book or of all, the oldest first."""
        query = select(table).order_by(table.c.number)
        if book is not None:
            query = query.where(table.c.book == book)
        with self._engine.connect() as connection:
            rows = connection.execute(query).mappings().all()
        return [
            Repair(
                **{
                    **row,
                    "action": RepairAction(row["action"]),
                    "repaired_at": require_aware(row["repaired_at"], "repaired_at"),
                }
            )
            for row in rows
        ]

    def closing(self, book: str, session: date) -> int | None:
        """Return the number of the repair that closed a session of a book; None when none did."""
        query = select(func.min(table.c.number)).where(
            table.c.book == book, table.c.session == session, table.c.action == str(RepairAction.CLOSE_SESSION)
        )
        with self._engine.connect() as connection:
            number: int | None = connection.execute(query).scalar_one()
        return number

    def closed_sessions(self, book: str) -> set[date]:
        """Return the sessions of a book that repairs closed."""
        query = select(table.c.session).where(table.c.book == book, table.c.action == str(RepairAction.CLOSE_SESSION))
        with self._engine.connect() as connection:
            return set(connection.execute(query).scalars())
