"""The outbox of alerts in the database: stored with their deliveries, so that nothing is lost between two programs."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, and_, delete, func, insert, or_, select, text, true, tuple_, update
from sqlalchemy.engine import RowMapping
from sqlalchemy.exc import DBAPIError

from trading_lib.adapters.stores.postgres.revisions import lock_key
from trading_lib.adapters.stores.postgres.schema import alert_deliveries as deliveries
from trading_lib.adapters.stores.postgres.schema import alert_pictures as pictures
from trading_lib.adapters.stores.postgres.schema import alerts
from trading_lib.domain.errors import InputError
from trading_lib.domain.market.sessions import require_aware
from trading_lib.monitoring.alert import Alert, AlertLevel, Picture
from trading_lib.monitoring.escalation import PlannedDelivery
from trading_lib.monitoring.outbox import StoredAlert
from trading_lib.monitoring.rate_limit import ORDER, Sent, Waiting

SENDER_LOCK = lock_key("alert sender")
# A window of faults that are told once for ever.
FOR_EVER = timedelta(days=36500)


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """Who has taken care of an alert, and when."""

    at: datetime
    by: str
    note: str


@dataclass(frozen=True, slots=True)
class DeliveryRecord:
    """One delivery and what became of it: ``waiting``, ``sent`` or ``given up``."""

    step: int
    channel: str
    state: str
    due_at: datetime
    attempts: int
    sent_at: datetime | None
    digest: bool
    problem: str


@dataclass(frozen=True, slots=True)
class AlertRecord:
    """An alert with all that became of it."""

    stored: StoredAlert
    acknowledgement: Acknowledgement | None
    deliveries: tuple[DeliveryRecord, ...]


class AlertStore:
    """The alerts of one database; an `Outbox`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def add(self, alert: Alert, at: datetime, window: timedelta, reference: str = "") -> bool:
        """Store an alert, or count it where the same fault is there; return whether it is new.

        One that is told once is not counted either.

        It is there when one of the same key, and at least this level, was raised within ``window``. An emergency that
        was acknowledged counts nothing more: the next one is told again.

        Parameters
        ----------
        reference
            Of this very alert; storing it again under the same one changes nothing.
        """
        require_aware(at, "at")
        with self._engine.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": lock_key(f"alert {alert.key}")})
            if reference and connection.execute(_of_reference(reference)).first() is not None:
                return False
            same = connection.execute(_same_fault(alert, at, FOR_EVER if alert.once else window)).scalar()
            if same is not None and alert.once:
                return False  # a session that is run again changes no row
            if same is not None:
                seen = {
                    "occurrences": alerts.c.occurrences + 1,
                    "last_seen_at": func.greatest(alerts.c.last_seen_at, at),
                }
                connection.execute(update(alerts).where(alerts.c.number == same).values(seen))
                return False
            _insert(connection, alert, at, reference or uuid.uuid4().hex)
        return True

    def adopt(self, stored: StoredAlert, records: Sequence[DeliveryRecord]) -> None:
        """Take over an alert from another outbox with what became of it there; a second time changes nothing."""
        with self._engine.begin() as connection:
            if connection.execute(_of_reference(stored.reference)).first() is not None:
                return
            number = _insert(connection, stored.alert, stored.raised_at, stored.reference, stored, bool(records))
            for record in records:
                values = {name: getattr(record, name) for name in DeliveryRecord.__dataclass_fields__}
                connection.execute(insert(deliveries).values(alert=number, try_at=record.due_at, **values))

    def sender_is_there(self) -> bool:
        """Whether a sender serves this outbox."""
        query = text(
            "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1"
            " AND (classid::bigint << 32) | objid::bigint = :key"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))"
        )
        with self._engine.connect() as connection:
            return bool(connection.execute(query, {"key": SENDER_LOCK}).scalar())

    @contextmanager
    def only_sender(self) -> Iterator[bool]:
        """Be the only sender while the block runs, or the process lives; False when there is another."""
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            first = bool(connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": SENDER_LOCK}).scalar())
            try:
                yield first
            finally:
                # The server notices some time later that a connection was closed, and would turn the next one away.
                with suppress(DBAPIError):
                    if first:
                        connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": SENDER_LOCK})
                connection.invalidate()

    def unplanned(self) -> list[StoredAlert]:
        """See `Outbox`."""
        with self._engine.connect() as connection:
            rows = (
                connection.execute(select(alerts).where(~alerts.c.planned).order_by(alerts.c.number)).mappings().all()
            )
            return [_stored(connection, row) for row in rows]

    def plan(self, reference: str, planned: Sequence[PlannedDelivery]) -> None:
        """See `Outbox`; what was planned before stays."""
        number = int(reference)
        with self._engine.begin() as connection:
            changed = connection.execute(
                update(alerts).where(alerts.c.number == number, ~alerts.c.planned).values(planned=True)
            )
            if not changed.rowcount:
                return
            for entry in planned:
                connection.execute(
                    insert(deliveries).values(
                        alert=number,
                        step=entry.step,
                        channel=entry.channel,
                        state="waiting",
                        due_at=entry.due_at,
                        try_at=entry.due_at,
                        attempts=0,
                        digest=False,
                        problem="",
                    )
                )

    def waiting(self, now: datetime) -> list[Waiting]:
        """See `Outbox`."""
        return self._waiting(deliveries.c.try_at <= now)

    def unfinished(self) -> bool:
        """Whether anything is still to be sent, now or later."""
        return bool(self._waiting(true())) or bool(self.unplanned())

    def _waiting(self, due: Any) -> list[Waiting]:
        query = (
            select(deliveries, alerts.c.level)
            .join(alerts, alerts.c.number == deliveries.c.alert)
            .where(deliveries.c.state == "waiting", alerts.c.acknowledged_at.is_(None), due)
            .order_by(deliveries.c.due_at, deliveries.c.alert)
        )
        with self._engine.connect() as connection:
            rows = connection.execute(query).mappings().all()
        return [
            Waiting(
                str(row["alert"]), AlertLevel(row["level"]), row["step"], row["channel"], row["due_at"], row["attempts"]
            )
            for row in rows
        ]

    def is_known(self, key: str) -> bool:
        """Whether an alert of this key was ever stored."""
        query = select(alerts.c.number).where(alerts.c.key == key).limit(1)
        with self._engine.connect() as connection:
            return connection.execute(query).first() is not None

    def find(self, references: Sequence[str]) -> list[StoredAlert]:
        """See `Outbox`."""
        numbers = [int(reference) for reference in references]
        with self._engine.connect() as connection:
            rows = connection.execute(select(alerts).where(alerts.c.number.in_(numbers))).mappings().all()
            found = {row["number"]: _stored(connection, row) for row in rows}
        return [found[number] for number in dict.fromkeys(numbers) if number in found]

    def note_sent(self, batch: Sequence[Waiting], at: datetime, problem: str = "") -> None:
        """See `Outbox`."""
        self._note(
            batch,
            {"state": "sent", "sent_at": at, "digest": len(batch) > 1, "problem": problem}
            | {"attempts": deliveries.c.attempts + 1},
        )

    def note_failed(self, batch: Sequence[Waiting], problem: str, try_at: datetime | None) -> None:
        """See `Outbox`."""
        values: dict[str, Any] = {"problem": problem, "attempts": deliveries.c.attempts + 1}
        self._note(batch, values | ({"state": "given up"} if try_at is None else {"try_at": try_at}))

    def sent_since(self, since: datetime) -> dict[str, list[Sent]]:
        """Channel -> what it took since then; a digest is one message of its highest level."""
        query = (
            select(deliveries.c.channel, deliveries.c.sent_at, alerts.c.level)
            .join(alerts, alerts.c.number == deliveries.c.alert)
            .where(deliveries.c.sent_at > since)
        )
        with self._engine.connect() as connection:
            rows = connection.execute(query).all()
        messages: dict[tuple[str, datetime], AlertLevel] = {}
        for channel, at, level in rows:
            key = (channel, at)
            messages[key] = max(messages.get(key, AlertLevel.INFO), AlertLevel(level), key=ORDER.index)
        found: dict[str, list[Sent]] = {}
        for (channel, at), level in messages.items():
            found.setdefault(channel, []).append(Sent(at, level))
        return found

    def records(self, unacknowledged: bool = False, limit: int = 50) -> list[AlertRecord]:
        """Return the newest alerts, the newest first, with their deliveries."""
        query = select(alerts).order_by(alerts.c.number.desc()).limit(limit)
        if unacknowledged:
            query = query.where(alerts.c.acknowledged_at.is_(None), alerts.c.level.in_(["critical", "emergency"]))
        with self._engine.connect() as connection:
            rows = connection.execute(query).mappings().all()
            return [_record(connection, row) for row in rows]

    def acknowledge(self, numbers: Sequence[int] | None, by: str, note: str, at: datetime) -> list[int]:
        """Acknowledge these alerts, or all that nobody has; return those that this changed.

        Raises
        ------
        InputError
            When one of them does not exist; none is acknowledged then.
        """
        with self._engine.begin() as connection:
            statement = update(alerts).where(alerts.c.acknowledged_at.is_(None))
            if numbers is not None:
                known = set(connection.execute(select(alerts.c.number).where(alerts.c.number.in_(numbers))).scalars())
                if unknown := sorted(set(numbers) - known):
                    raise InputError(f"there is no alert {unknown[0]}", "`trading alerts list` shows their numbers")
                statement = statement.where(alerts.c.number.in_(numbers))
            values = {"acknowledged_at": at, "acknowledged_by": by, "acknowledged_note": note}
            return sorted(connection.execute(statement.values(values).returning(alerts.c.number)).scalars())

    def forget(self, before: datetime) -> int:
        """Remove alerts last seen before then; return how many."""
        with self._engine.begin() as connection:
            return connection.execute(delete(alerts).where(alerts.c.last_seen_at < before)).rowcount

    def _note(self, batch: Sequence[Waiting], values: dict[str, Any]) -> None:
        keys = [(int(entry.alert), entry.step, entry.channel) for entry in batch]
        key = tuple_(deliveries.c.alert, deliveries.c.step, deliveries.c.channel)
        with self._engine.begin() as connection:
            connection.execute(update(deliveries).where(key.in_(keys), deliveries.c.state == "waiting").values(values))


def _of_reference(reference: str) -> Any:
    return select(alerts.c.number).where(alerts.c.reference == reference)


def _same_fault(alert: Alert, at: datetime, window: timedelta) -> Any:
    at_least = [str(level) for level in ORDER[ORDER.index(alert.level) :]]
    told_again = and_(alerts.c.level == str(AlertLevel.EMERGENCY), alerts.c.acknowledged_at.is_not(None))
    return (
        select(func.max(alerts.c.number))
        .where(alerts.c.key == alert.key, alerts.c.level.in_(at_least))
        # One that a wrong clock has put far ahead suppresses nothing.
        .where(alerts.c.raised_at.between(at - window, at + window))
        .where(or_(~told_again, alerts.c.level != str(alert.level)))
    )


def _insert(
    connection: Connection,
    alert: Alert,
    at: datetime,
    reference: str,
    seen: StoredAlert | None = None,
    planned: bool = False,
) -> int:
    values = {name: getattr(alert, name) for name in ("key", "title", "text", "source", "book", "session", "link")}
    values |= {"reference": reference, "level": str(alert.level), "raised_at": at, "planned": planned}
    values |= {"occurrences": seen.occurrences if seen else 1, "last_seen_at": seen.last_seen_at if seen else at}
    number: int = connection.execute(insert(alerts).values(values).returning(alerts.c.number)).scalar_one()
    for picture in alert.pictures:
        connection.execute(insert(pictures).values(alert=number, name=picture.name, png=picture.png))
    return number


def _stored(connection: Connection, row: RowMapping) -> StoredAlert:
    drawn = connection.execute(select(pictures).where(pictures.c.alert == row["number"]).order_by(pictures.c.name))
    alert = Alert(
        level=AlertLevel(row["level"]),
        pictures=tuple(Picture(picture["name"], bytes(picture["png"])) for picture in drawn.mappings()),
        **{name: row[name] for name in ("title", "text", "source", "key", "session", "book", "link")},
    )
    return StoredAlert(str(row["number"]), alert, row["raised_at"], row["occurrences"], row["last_seen_at"])


def _record(connection: Connection, row: RowMapping) -> AlertRecord:
    rows = connection.execute(
        select(deliveries).where(deliveries.c.alert == row["number"]).order_by(deliveries.c.step, deliveries.c.channel)
    ).mappings()
    fields = DeliveryRecord.__dataclass_fields__
    acknowledged = row["acknowledged_at"]
    return AlertRecord(
        _stored(connection, row),
        Acknowledgement(acknowledged, row["acknowledged_by"], row["acknowledged_note"]) if acknowledged else None,
        tuple(DeliveryRecord(**{name: found[name] for name in fields}) for found in rows),
    )
