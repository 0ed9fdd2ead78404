"""Mail about a failed task: by SMTP where a connection is configured, otherwise into a file under the home folder."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

CONNECTION = "smtp_default"
RECIPIENT_VARIABLE = "TRADING_ALERT_EMAIL"
SENDER_VARIABLE = "TRADING_ALERT_SENDER"
# Longest error text in a mail; tracebacks stay in Airflow's log.
ERROR_LENGTH = 2000

# Values reach the templates as variables: an error message that looks like a template is shown, never evaluated.
SUBJECT = "[trading] {{ failed_task }} failed"
BODY = "<pre>{{ failure_text | e }}</pre>"


def notify_failure(context: Any) -> None:
    """Tell a person about the failed task of ``context``; never raises, so that nothing hides the task's own error."""
    text = failure_text(context)
    try:
        _send(context, text)
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        keep_in_file(f"{text}\nnot mailed: {type(error).__name__}: {_without_secrets(reason)}\n")


def failure_text(context: Any) -> str:
    """Say what failed, where and why, without secrets."""
    instance = context["task_instance"]
    error = context.get("exception")
    if isinstance(error, SystemExit) and error.__cause__ is not None:  # see pipeline_tasks
        error = error.__cause__
    reason = _without_secrets(f"{type(error).__name__}: {error}" if error else "no reason given")
    lines = [
        f"Task:  {_label(instance)}",
        f"Run:   {instance.run_id} (try {instance.try_number})",
        f"Error: {reason[:ERROR_LENGTH]}",
    ]
    address = getattr(instance, "log_url", None)
    return "\n".join([*lines, f"Log:   {address}"] if address else lines)


def keep_in_file(text: str) -> Path:
    """Append the mail to a file of the day under the home folder; return its path."""
    home = Path(os.environ.get("TRADING_HOME") or Path(__file__).resolve().parents[1] / ".local")
    now = datetime.now(UTC)
    path = home / "mail" / f"{now:%Y-%m-%d}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(f"--- {now:%Y-%m-%d %H:%M:%S} UTC\n{text}\n")
    return path


def _send(context: Any, text: str) -> None:
    from airflow.providers.smtp.notifications.smtp import SmtpNotifier
    from airflow.sdk import BaseHook

    connection = BaseHook.get_connection(CONNECTION)
    extra = connection.extra_dejson
    recipient = os.environ.get(RECIPIENT_VARIABLE) or extra.get("to_email")
    if not recipient:
        raise ValueError(f"nobody to mail to; set {RECIPIENT_VARIABLE}, or to_email in the connection's extra")
    sender = os.environ.get(SENDER_VARIABLE) or extra.get("from_email") or recipient
    notifier = SmtpNotifier(
        to=recipient, from_email=sender, subject=SUBJECT, html_content=BODY, smtp_conn_id=CONNECTION
    )
    notifier({**context, "failed_task": _label(context["task_instance"]), "failure_text": text})


def _label(instance: Any) -> str:
    index = getattr(instance, "map_index", -1)
    name = getattr(instance, "rendered_map_index", None) or index
    suffix = f"[{name}]" if index is not None and index >= 0 else ""
    return f"{instance.dag_id}.{instance.task_id}{suffix}"


def _without_secrets(text: str) -> str:
    """Strike what stands where secrets stand, and what the environment holds under a name that sounds secret."""
    from trading_lib.adapters.logs.redaction import secret_values, without_secrets

    return without_secrets(text, secret_values())
