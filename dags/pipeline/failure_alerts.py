"""The alert of a failed task: what failed, why, of which session, and where its log is. None of it hides the error."""

from __future__ import annotations

import logging
from datetime import date
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trading_lib.monitoring.alert import Alert

LOG = logging.getLogger(__name__)
# Longest error text in an alert; tracebacks stay in Airflow's log.
ERROR_LENGTH = 2000
# What the task planned is asked for no longer than this; an alert without its session is better than a late one.
PLAN_SECONDS = 1.0


def notify_failure(context: Any) -> None:
    """Tell a person about the failed task of ``context``; never raises, so that nothing hides the task's own error."""
    try:
        from trading_lib.workflows.operations.alerting import raise_alert

        raise_alert(failure_alert(context))
    except Exception as error:
        LOG.error("nobody was told of the failure: %s", type(error).__name__)


def notify_unless_answered(context: Any) -> None:
    """Mail the failure of the approval only when nobody answered, or when that cannot be found out."""
    from trading_lib.workflows.operations import airflow_answers

    instance = context["task_instance"]
    try:
        answered = airflow_answers.was_answered(instance.dag_id, instance.run_id, instance.task_id)
    except Exception:
        answered = False
    if not answered:
        notify_failure(context)


def failure_alert(context: Any) -> Alert:
    """Say what failed, where and why, without secrets."""
    from trading_lib.monitoring.alert import Alert, AlertLevel

    instance = context["task_instance"]
    label = _label(instance)
    session, book = _subject(context)
    return Alert(
        AlertLevel.CRITICAL,
        f"{label} failed",
        failure_text(context),
        source=f"{instance.dag_id}.{instance.task_id}",
        key=f"task:{label}:{session or instance.run_id}:failed",
        session=session,
        book=book,
        link=getattr(instance, "log_url", None) or "",
    )


def failure_text(context: Any) -> str:
    """Put what failed into lines."""
    instance = context["task_instance"]
    error = context.get("exception")
    if isinstance(error, SystemExit) and error.__cause__ is not None:  # see tasks.py
        error = error.__cause__
    reason = _without_secrets(f"{type(error).__name__}: {error}" if error else "no reason given")
    lines = [
        f"Task:  {_label(instance)}",
        f"Run:   {instance.run_id} (try {instance.try_number})",
        f"Error: {reason[:ERROR_LENGTH]}",
    ]
    address = getattr(instance, "log_url", None)
    return "\n".join([*lines, f"Log:   {address}"] if address else lines)


def _subject(context: Any) -> tuple[date | None, str]:
    """Session and book: what the run's first task planned, else what its form says."""
    from trading_lib.adapters.user_code.time_limit import TimeExceededError, time_limit

    found = dict(context.get("params") or {})
    try:
        with time_limit(PLAN_SECONDS, "the plan of the failed task"):
            for key in ("return_value", "plan"):
                planned = context["task_instance"].xcom_pull(task_ids="plan", key=key)
                if isinstance(planned, dict):
                    found |= {name: value for name, value in planned.items() if value}
                    break
    except (Exception, TimeExceededError):
        LOG.info("the plan of the failed task could not be read")
    try:
        session = date.fromisoformat(str(found.get("session") or ""))
    except ValueError:
        session = None
    return session, str(found.get("book") or "")


def _label(instance: Any) -> str:
    index = getattr(instance, "map_index", -1)
    name = getattr(instance, "rendered_map_index", None) or index
    suffix = f"[{name}]" if index is not None and index >= 0 else ""
    return f"{instance.dag_id}.{instance.task_id}{suffix}"


def _without_secrets(text: str) -> str:
    """Strike what stands where secrets stand, and what the environment holds under a name that sounds secret."""
    from trading_lib.adapters.logs.redaction import secret_values, without_secrets

    return without_secrets(text, secret_values())
