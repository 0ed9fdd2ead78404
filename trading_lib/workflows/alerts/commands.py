"""What `trading alerts` does: list, acknowledge, send, test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from trading_lib.adapters.alerts.delivery import attempt
from trading_lib.adapters.stores.operations.alert_store import AlertRecord, AlertStore
from trading_lib.domain.errors import ConfigurationError, InputError
from trading_lib.monitoring.alert import Alert, AlertLevel
from trading_lib.monitoring.escalation import FILE
from trading_lib.monitoring.outbox import StoredAlert
from trading_lib.monitoring.templates import single
from trading_lib.workflows.alerts.service import AlertService, channel_makers
from trading_lib.workflows.operations.alerting import Place
from trading_lib.workflows.operations.notifications import load_monitoring

Result = dict[str, Any]
TEST_TEXT = "This is a test. Nothing is wrong, and nobody has to do anything."


def send_alerts(watch: bool, place: Place | None = None) -> Result:
    """Serve the outbox; returns when everything is sent, with ``watch`` only when it is told to end."""
    active = place or Place.locate()
    served = AlertService(active, load_monitoring(active.variables), watch).run()
    return {"served": served}


def list_alerts(unacknowledged: bool, limit: int, place: Place | None = None) -> Result:
    """Return the newest alerts with what became of them; those that still lie in files are moved in by the sender."""
    active = place or Place.locate()
    engine = active.engine()
    try:
        records = AlertStore(engine).records(unacknowledged, limit)
    finally:
        engine.dispose()
    return {"alerts": [_entry(record) for record in records]}


def acknowledge(numbers: Sequence[int], everything: bool, by: str, note: str, place: Place | None = None) -> Result:
    """Acknowledge alerts: their escalation ends.

    Raises
    ------
    InputError
        When none is named, or one does not exist.
    """
    if bool(numbers) == everything:
        raise InputError("say which alerts", "give their numbers, or --all")
    if not by.strip():
        raise InputError("an acknowledgement needs the name of who gives it", "give --by NAME")
    active = place or Place.locate()
    engine = active.engine()
    try:
        done = AlertStore(engine).acknowledge(None if everything else numbers, by, note, active.clock())
    finally:
        engine.dispose()
    return {"acknowledged": done, "by": by}


def send_test(level: str, channels: Sequence[str], place: Place | None = None) -> Result:
    """Send a test to every channel that is set up, now and without the outbox; say what became of it.

    Raises
    ------
    InputError
        When there is no such level or channel.
    ConfigurationError
        When a channel's address cannot be used.
    """
    from trading_lib.domain.errors import one_of

    if level not in list(AlertLevel):
        raise InputError(f"there is no level {level!r}", one_of(level, list(AlertLevel)))
    active = place or Place.locate()
    config = load_monitoring(active.variables)
    makers: Mapping[str, Any] = channel_makers(config, active)
    for name in channels:
        if name not in makers:
            raise InputError(f"the channel {name!r} is not set up", f"set up: {', '.join(makers) or 'none'}")
    chosen = {name: make for name, make in makers.items() if not channels or name in channels}
    now = active.clock()
    alert = Alert(AlertLevel(level), "test of the alerts", TEST_TEXT, "alerts test", "test")
    message = single(StoredAlert("0", alert, now, 1, now), 1, now)
    found = []
    for name, make in chosen.items():
        problem = attempt(make, message)
        found.append({"channel": name, "problem": problem})
    if not chosen:
        active.mail_file().send(message)
        found.append({"channel": FILE, "problem": ""})
    return {"level": level, "deliveries": found}


def channel_states(place: Place) -> list[Result]:
    """Return each channel with how it is set up, without sending anything: ``problem`` is "" where it is well."""
    config = load_monitoring(place.variables)
    states = []
    for name, make in channel_makers(config, place).items():
        try:
            made = make()
        except ConfigurationError as error:
            states.append({"channel": name, "kind": "", "problem": str(error)})
        else:
            states.append({"channel": name, "kind": getattr(made, "scheme", "notifier"), "problem": ""})
    return states


def _entry(record: AlertRecord) -> Result:
    stored, alert = record.stored, record.stored.alert
    acknowledged = asdict(record.acknowledgement) if record.acknowledgement else None
    return {
        "number": int(stored.reference),
        "level": str(alert.level),
        "title": alert.title,
        "text": alert.text,
        "source": alert.source,
        "key": alert.key,
        "book": alert.book or None,
        "session": alert.session.isoformat() if alert.session else None,
        "link": alert.link or None,
        "raised_at": stored.raised_at.isoformat(),
        "occurrences": stored.occurrences,
        "last_seen_at": stored.last_seen_at.isoformat(),
        "acknowledged": acknowledged and {**acknowledged, "at": acknowledged["at"].isoformat()},
        "deliveries": [
            {
                "step": entry.step,
                "channel": entry.channel,
                "state": _state(record, entry.state),
                "due_at": entry.due_at.isoformat(),
                "sent_at": entry.sent_at.isoformat() if entry.sent_at else None,
                "attempts": entry.attempts,
                "digest": entry.digest,
                "problem": entry.problem,
            }
            for entry in record.deliveries
        ],
    }


def _state(record: AlertRecord, state: str) -> str:
    return "not needed" if state == "waiting" and record.acknowledgement else state
