"""Armings in PostgreSQL: from when until when a book may send orders to an account; a revoked one stays stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Engine, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from trading_lib.adapters.stores.postgres.immutable_rows import writing
from trading_lib.adapters.stores.postgres.revisions import lock_key
from trading_lib.adapters.stores.postgres.schema import book_armings as table
from trading_lib.domain.market.sessions import require_aware


@dataclass(frozen=True, slots=True)
class Arming:
    """Permission to send the orders of some sessions to an account.

    Attributes
    ----------
    armed_from, armed_until
        First and last session.
    revoked_by, revoked_at
        None while it is in force.
    """

    number: int
    book: str
    account: str
    armed_from: date
    armed_until: date
    note: str
    armed_by: str
    armed_at: datetime
    revoked_by: str | None = None
    revoked_at: datetime | None = None

    def covers(self, first: date, last: date) -> bool:
        """Whether it is in force and contains all from ``first`` to ``last``."""
        return self.revoked_at is None and self.armed_from <= first and last <= self.armed_until


class ArmingStore:
    """The armings of every book in one database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(
        self, book: str, account: str, first: date, last: date, by: str, note: str, at: datetime
    ) -> tuple[Arming, bool]:
        """Store an arming and say whether it is new; one that covers it already is returned instead."""
        moment = require_aware(at, "at")
        with writing(self._engine, book) as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": lock_key("book_armings")})
            query = select(table).where(table.c.book == book, table.c.account == account).order_by(table.c.number)
            stored = [_arming(row) for row in connection.execute(query).mappings()]
            for arming in stored:
                if arming.covers(first, last):
                    return arming, False
            newest = connection.execute(select(func.coalesce(func.max(table.c.number), 0))).scalar_one()
            arming = Arming(newest + 1, book, account, first, last, note, by, moment)
            connection.execute(
                insert(table).values({name: getattr(arming, name) for name in Arming.__dataclass_fields__})
            )
        return arming, True

    def revoke(self, book: str, account: str | None, by: str, at: datetime) -> tuple[int, ...]:
        """End what is in force of a book, in one account or in all; returns the numbers."""
        found = (table.c.book == book) & table.c.revoked_at.is_(None)
        if account is not None:
            found &= table.c.account == account
        values = {"revoked_by": by, "revoked_at": require_aware(at, "at")}
        with self._engine.begin() as connection:
            rows = connection.execute(update(table).where(found).values(values).returning(table.c.number))
            return tuple(sorted(rows.scalars()))

    def armings(self, book: str | None = None) -> tuple[Arming, ...]:
        """Return the armings of one book or of all, the oldest first."""
        query = select(table).order_by(table.c.number)
        if book is not None:
            query = query.where(table.c.book == book)
        with self._engine.connect() as connection:
            return tuple(_arming(row) for row in connection.execute(query).mappings())

    def in_force(self, book: str, account: str, session: date) -> Arming | None:
        """Return the arming under which orders of ``session`` may go to an account; None where there is none."""
        for arming in self.armings(book):
            if arming.account == account and arming.covers(session, session):
                return arming
        return None


def _arming(row: Mapping[Any, Any]) -> Arming:
    revoked = row["revoked_at"] and require_aware(row["revoked_at"], "revoked_at")
    return Arming(**{**row, "armed_at": require_aware(row["armed_at"], "armed_at"), "revoked_at": revoked})
