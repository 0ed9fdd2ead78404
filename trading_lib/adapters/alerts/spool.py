"""The outbox in files, one an alert, for the time that the database is away; the sender moves them into it later."""

from __future__ import annotations

import base64
import json
import logging
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy.exc import DataError, IntegrityError

from trading_lib.adapters.stores.operations.alert_store import FOR_EVER, AlertStore, DeliveryRecord
from trading_lib.monitoring.alert import Alert, AlertLevel, Picture
from trading_lib.monitoring.escalation import PlannedDelivery
from trading_lib.monitoring.outbox import StoredAlert
from trading_lib.monitoring.rate_limit import ORDER, Waiting

LOG = logging.getLogger(__name__)
SUFFIX = ".json"
BROKEN = ".broken"
Content = dict[str, Any]


class Spool:
    """The alerts of one folder, readable by their owner only; an `Outbox`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add(self, alert: Alert, at: datetime, window: timedelta, reference: str) -> None:
        """Store an alert, or count it where the same fault lies here already."""
        for name, content in self._all():
            if content["reference"] == reference:
                return
            stored = _stored(name, content)
            recent = abs(at - stored.raised_at) <= (FOR_EVER if alert.once else window)
            as_high = ORDER.index(stored.alert.level) >= ORDER.index(alert.level)
            if stored.alert.key == alert.key and as_high and recent:
                seen = {"occurrences": stored.occurrences + 1, "last_seen_at": at.isoformat()}
                self._write(name, content | seen)
                return
        moments = {"raised_at": at.isoformat(), "last_seen_at": at.isoformat()}
        content = {"reference": reference, "alert": _written(alert), "occurrences": 1, "deliveries": None, **moments}
        self._write(f"{at:%Y%m%dT%H%M%S%f}-{reference[:12]}", content)

    def unplanned(self) -> list[StoredAlert]:
        """See `Outbox`."""
        return [_stored(name, content) for name, content in self._all() if content["deliveries"] is None]

    def plan(self, reference: str, deliveries: Sequence[PlannedDelivery]) -> None:
        """See `Outbox`."""
        content = self._read(reference)
        if content is None or content["deliveries"] is not None:
            return
        records = [
            DeliveryRecord(entry.step, entry.channel, "waiting", entry.due_at, 0, None, False, "")
            for entry in deliveries
        ]
        self._write(reference, content | {"deliveries": [_delivery(record, record.due_at) for record in records]})

    def waiting(self, now: datetime) -> list[Waiting]:
        """See `Outbox`."""
        found = []
        for name, content in self._all():
            level = AlertLevel(content["alert"]["level"])
            for entry in content["deliveries"] or ():
                if entry["state"] == "waiting" and datetime.fromisoformat(entry["try_at"]) <= now:
                    due_at = datetime.fromisoformat(entry["due_at"])
                    found.append(Waiting(name, level, entry["step"], entry["channel"], due_at, entry["attempts"]))
        return found

    def unfinished(self) -> bool:
        """Whether anything is still to be sent, now or later."""
        return any(
            content["deliveries"] is None or any(entry["state"] == "waiting" for entry in content["deliveries"])
            for _, content in self._all()
        )

    def find(self, references: Sequence[str]) -> list[StoredAlert]:
        """See `Outbox`."""
        found = ((name, self._read(name)) for name in dict.fromkeys(references))
        return [_stored(name, content) for name, content in found if content is not None]

    def note_sent(self, batch: Sequence[Waiting], at: datetime, problem: str = "") -> None:
        """See `Outbox`."""
        sent = {"state": "sent", "sent_at": at.isoformat(), "digest": len(batch) > 1, "problem": problem}
        self._note(batch, sent)

    def note_failed(self, batch: Sequence[Waiting], problem: str, try_at: datetime | None) -> None:
        """See `Outbox`."""
        then = {"state": "given up"} if try_at is None else {"try_at": try_at.isoformat()}
        self._note(batch, {"problem": problem, **then})

    def move_into(self, store: AlertStore, window: timedelta) -> int:
        """Hand everything over to the database with what became of it; return how many there were."""
        moved = 0
        for name, content in self._all():
            try:
                _hand_over(name, content, store, window)
            except (ValueError, TypeError, KeyError, DataError, IntegrityError) as error:
                # One that the database does not take must not hold up the others for ever.
                LOG.error("the alert %s cannot be stored (%s): it is set aside", name, type(error).__name__)
                self._set_aside(name)
                continue
            self._path(name).unlink(missing_ok=True)
            moved += 1
        return moved

    def _note(self, batch: Sequence[Waiting], values: Content) -> None:
        for name in dict.fromkeys(entry.alert for entry in batch):
            content = self._read(name)
            if content is None:
                continue
            noted = {(entry.step, entry.channel) for entry in batch if entry.alert == name}
            for entry in content["deliveries"] or ():
                if (entry["step"], entry["channel"]) in noted:
                    entry.update(values, attempts=entry["attempts"] + 1)
            self._write(name, content)

    def _all(self) -> Iterator[tuple[str, Content]]:
        for path in sorted(self._folder.glob(f"*{SUFFIX}")):
            content = self._read(path.stem)
            if content is not None:
                yield path.stem, content

    def _read(self, name: str) -> Content | None:
        path = self._path(name)
        try:
            content: Content = json.loads(path.read_text(encoding="utf-8"))
            _stored(name, content)
        except OSError:
            # Moved away meanwhile; or another user's, or no file, which must hold up neither the sender nor an alert.
            return None
        except (ValueError, KeyError, TypeError):
            # Kept for a person, and out of the way of the others.
            self._set_aside(name)
            return None
        return content

    def _set_aside(self, name: str) -> None:
        path = self._path(name)
        path.rename(path.with_suffix(BROKEN))

    def _write(self, name: str, content: Content) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=self._folder)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump(content, file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, self._path(name))
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}{SUFFIX}"


def _hand_over(name: str, content: Content, store: AlertStore, window: timedelta) -> None:
    stored = _stored(name, content)
    if content["deliveries"] is None and stored.occurrences == 1:
        store.add(stored.alert, stored.raised_at, window, content["reference"])
    else:
        records = [_record(entry) for entry in content["deliveries"] or ()]
        store.adopt(_stored(content["reference"], content), records)


def _written(alert: Alert) -> Content:
    pictures = [{"name": entry.name, "png": base64.b64encode(entry.png).decode()} for entry in alert.pictures]
    session = alert.session.isoformat() if alert.session else None
    return {**asdict(alert), "level": str(alert.level), "session": session, "pictures": pictures}


def _stored(name: str, content: Content) -> StoredAlert:
    written = dict(content["alert"])
    pictures = tuple(Picture(entry["name"], base64.b64decode(entry["png"])) for entry in written["pictures"])
    session = date.fromisoformat(written["session"]) if written["session"] else None
    read = written | {"level": AlertLevel(written["level"]), "session": session, "pictures": pictures}
    raised_at, last = (datetime.fromisoformat(content[key]) for key in ("raised_at", "last_seen_at"))
    return StoredAlert(name, Alert(**read), raised_at, content["occurrences"], last)


def _delivery(record: DeliveryRecord, try_at: datetime) -> Content:
    moments = {"due_at": record.due_at.isoformat(), "try_at": try_at.isoformat(), "sent_at": None}
    return {**asdict(record), **moments}


def _record(entry: Content) -> DeliveryRecord:
    sent_at = datetime.fromisoformat(entry["sent_at"]) if entry["sent_at"] else None
    plain = {name: entry[name] for name in ("step", "channel", "state", "attempts", "digest", "problem")}
    return DeliveryRecord(due_at=datetime.fromisoformat(entry["due_at"]), sent_at=sent_at, **plain)
