"""Latency of a session, measured by its own runs: close -> data ready, data received -> signals stored.

Targets are in sources.yaml (docs/specification.md#latency). A run of a past session, by hand or in a backfill, has no
such time: it says why instead of a figure.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from trading_lib.adapters.stores.books.state_store import StateStore
from trading_lib.workflows.setup.settings import Settings, load_settings
from trading_lib.workflows.stages.plans import SessionPlan

LOG = logging.getLogger(__name__)
Latency = dict[str, Any]

SCHEDULED = "scheduled"
DATA_READY, SIGNALS = "close to data ready", "data received to signals stored"


def now(settings: Settings | None = None) -> str:
    """Return the present time, ISO 8601 in UTC."""
    return (settings or load_settings()).clock().isoformat()


def received_at(results: Iterable[Mapping[str, Any] | None]) -> str | None:
    """Return when the last of a run's groups was stored, ISO 8601; None when it fetched nothing."""
    return max((str(result["received_at"]) for result in results if result), default=None)


def data_ready(plan: SessionPlan, run_type: str, settings: Settings | None = None) -> Latency:
    """Measure from the session's close to now, for a run that the schedule started."""
    active = settings or load_settings()
    if run_type != SCHEDULED:
        return _not_applicable(DATA_READY, f"the run was started by hand ({run_type})")
    elapsed = active.clock() - active.calendar.close(plan.session)
    target = 60.0 * active.configuration.sources.latency.data_ready_minutes
    return _measured(DATA_READY, elapsed.total_seconds(), target)


def signals_stored(plan: SessionPlan, settings: Settings | None = None) -> Latency:
    """Measure from the moment the decision had its data, and could be made, until its signals were stored.

    A session is decided half an hour after its close at the earliest; data that came before waited for that.
    """
    active = settings or load_settings()
    session = plan.session
    received = plan.received_at
    if received is None:
        return _not_applicable(SIGNALS, "no new data started the run")
    stored = StateStore(active.engine()).stage_stored_at(plan.book, session, "signals")
    if stored is None or stored < received:
        return _not_applicable(SIGNALS, "its signals were stored before")
    begun = max(received, active.calendar.decision_time(session))
    return _measured(SIGNALS, (stored - begun).total_seconds(), active.configuration.sources.latency.signal_seconds)


def _measured(what: str, seconds: float, target: float) -> Latency:
    late = seconds > target
    line = f"{what}: {_words(seconds)} (target below {_words(target)}{', MISSED' if late else ''})"
    LOG.log(logging.WARNING if late else logging.INFO, "%s", line)
    return {"seconds": round(seconds, 1), "target_seconds": target, "late": late, "line": line}


def _not_applicable(what: str, reason: str) -> Latency:
    line = f"{what}: not applicable, {reason}"
    LOG.info("%s", line)
    return {"seconds": None, "target_seconds": None, "late": False, "line": line}


def _words(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 120 else f"{seconds / 60:.1f} min"
