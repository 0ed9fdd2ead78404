"""Breaks between books and their brokers: stored once when they are found, and settled once."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Engine, func, select, text, update
from sqlalchemy.dialects.postgresql import insert

from trading_lib.adapters.stores.postgres.immutable_rows import writing
from trading_lib.adapters.stores.postgres.revisions import lock_key
from trading_lib.adapters.stores.postgres.schema import reconciliation_breaks as table
from trading_lib.domain.errors import InputError
from trading_lib.domain.market.sessions import require_aware
from trading_lib.execution.reconciliation.breaks import Break, BreakKind, BreakStatus

# Who settles what has gone by itself.
ITSELF = "reconciliation"


@dataclass(frozen=True, slots=True)
class StoredBreak:
    """A break as it was found, and how it ended."""

    number: int
    book: str
    account: str
    session: date
    kind: BreakKind
    symbol: str
    ours: str
    broker: str
    explanation: str
    status: BreakStatus
    found_at: datetime
    settled_at: datetime | None
    settled_by: str | None
    note: str

    @property
    def identity(self) -> tuple[str, str, str, str]:
        """As of `Break`."""
        return str(self.kind), self.symbol, self.ours, self.broker


class BreakStore:
    """The table ``reconciliation_breaks``."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def save(
        self, book: str, account: str, session: date, found: Sequence[Break], now: datetime, complete: bool = True
    ) -> tuple[StoredBreak, ...]:
        """Store what a comparison found, and return those breaks as they are stored.

        A break that is open or accepted already is the same one, found again. One that was open and is not found any
        more, or is explained now, has settled itself.

        Parameters
        ----------
        complete
            Whether ``found`` is all there is; otherwise nothing settles itself.
        """
        moment = require_aware(now, "now")
        with writing(self._engine, book) as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": lock_key("reconciliation_breaks")})
            standing = _standing(connection, book, account, session)
            for before in list(standing.values()):
                again = next((one for one in found if one.identity == before.identity), None)
                if before.status is not BreakStatus.OPEN or (again is None and not complete):
                    continue
                if again is None or again.status is not BreakStatus.OPEN:
                    note = "both sides agree again" if again is None else again.explanation
                    _settle(connection, [before.number], BreakStatus.EXPLAINED, moment, ITSELF, note)
                    del standing[before.identity]
            number = connection.execute(select(func.coalesce(func.max(table.c.number), 0))).scalar_one()
            stored = []
            for one in found:
                known = standing.get(one.identity)
                if known is None or (known.status is BreakStatus.EXPLAINED and one.status is BreakStatus.OPEN):
                    number += 1
                    known = StoredBreak(
                        number, book, account, session, one.kind, one.symbol, one.ours, one.broker, one.explanation,
                        one.status, moment, None, None, "",
                    )  # fmt: skip
                    connection.execute(insert(table).values(_row(known)))
                    standing[one.identity] = known
                stored.append(known)
        return tuple(stored)

    def settle(self, number: int, now: datetime, by: str, note: str) -> StoredBreak:
        """Store that the operator has looked at an open break.

        Raises
        ------
        InputError
            When there is no such break, or it is open no more.
        """
        moment = require_aware(now, "now")
        with self._engine.begin() as connection:
            row = connection.execute(select(table).where(table.c.number == number).with_for_update()).one_or_none()
            if row is None:
                raise InputError(f"there is no break {number}", "`trading reconcile --book B` lists the open ones")
            require_open(_break(row._mapping))
            _settle(connection, [number], BreakStatus.ACCEPTED, moment, by, note)
        return self.break_(number)

    def break_(self, number: int) -> StoredBreak:
        """Return a break; an unknown number is an `InputError`."""
        with self._engine.connect() as connection:
            row = connection.execute(select(table).where(table.c.number == number)).mappings().one_or_none()
        if row is None:
            raise InputError(f"there is no break {number}", "`trading reconcile --book B` lists the open ones")
        return _break(row)

    def breaks(
        self, book: str | None = None, account: str | None = None, statuses: Collection[BreakStatus] | None = None
    ) -> list[StoredBreak]:
        """Return breaks by number, of one book and account or of all."""
        query = select(table).order_by(table.c.number)
        if book is not None:
            query = query.where(table.c.book == book)
        if account is not None:
            query = query.where(table.c.account == account)
        if statuses is not None:
            query = query.where(table.c.status.in_([str(status) for status in statuses]))
        with self._engine.connect() as connection:
            return [_break(row) for row in connection.execute(query).mappings()]


def require_open(one: StoredBreak) -> None:
    """Raise `InputError` when a break is settled."""
    if one.status is not BreakStatus.OPEN:
        raise InputError(
            f"break {one.number} of book {one.book} is {one.status} already, by {one.settled_by or ITSELF}",
            f"`trading reconcile --book {one.book}` lists the open ones",
        )


def _standing(
    connection: Connection, book: str, account: str, session: date
) -> dict[tuple[str, str, str, str], StoredBreak]:
    """Return breaks that are found again: open, accepted, or explained in this session."""
    query = select(table).where(table.c.book == book, table.c.account == account).order_by(table.c.number)
    rows = [_break(row) for row in connection.execute(query).mappings()]
    return {
        one.identity: one
        for one in rows
        if one.status in (BreakStatus.OPEN, BreakStatus.ACCEPTED) or (one.session == session and one.settled_at is None)
    }


def _settle(
    connection: Connection, numbers: Sequence[int], status: BreakStatus, at: datetime, by: str, note: str
) -> None:
    values = {"status": str(status), "settled_at": at, "settled_by": by, "note": note}
    connection.execute(update(table).where(table.c.number.in_(numbers)).values(values))


def _row(one: StoredBreak) -> dict[str, Any]:
    values = {name: getattr(one, name) for name in StoredBreak.__dataclass_fields__}
    return values | {"kind": str(one.kind), "status": str(one.status)}


def _break(row: Mapping[Any, Any]) -> StoredBreak:
    return StoredBreak(
        **{
            **row,
            "kind": BreakKind(row["kind"]),
            "status": BreakStatus(row["status"]),
            "found_at": require_aware(row["found_at"], "found_at"),
            "settled_at": row["settled_at"] and require_aware(row["settled_at"], "settled_at"),
        }
    )
