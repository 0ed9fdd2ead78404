"""Messages about a failed task: by SMTP where a connection is configured, otherwise into a file under the home folder.

Notifiers of the user's own are told as well. None of it takes longer than a bounded time or hides the task's own error.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trading_lib.monitoring.notifier import Message

CONNECTION = "smtp_default"
RECIPIENT_VARIABLE = "TRADING_ALERT_EMAIL"
SENDER_VARIABLE = "TRADING_ALERT_SENDER"
# Longest error text in a mail; tracebacks stay in Airflow's log.
ERROR_LENGTH = 2000
# The connection's own timeout and retries come first, as a rule.
MAIL_SECONDS = 180.0

# Values reach the templates as variables: an error message that looks like a template is shown, never evaluated.
SUBJECT = "[trading] {{ message_title }}"
BODY = "<pre>{{ message_text | e }}</pre>"


class AirflowMail:
    """A `Notifier` that mails through Airflow's connection ``smtp_default``.

    Parameters
    ----------
    context
        Of the task that is told of; what Airflow's own notifier wants.
    """

    def __init__(self, context: Any) -> None:
        self._context = context

    def send(self, message: Message) -> None:
        """Mail the message's text; raises where there is no connection, nobody to mail to, or no answer."""
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
        notifier({**self._context, "message_title": message.title, "message_text": message.text})


def notify_failure(context: Any) -> None:
    """Tell a person about the failed task of ``context``; never raises, so that nothing hides the task's own error."""
    message = failure_message(context)
    _mail(context, message)
    _tell_own(message)


def failure_message(context: Any) -> Message:
    """Say what failed, where and why, without secrets."""
    from trading_lib.monitoring.alert import AlertLevel
    from trading_lib.monitoring.notifier import Message

    instance = context["task_instance"]
    title = f"{_label(instance)} failed"
    return Message(AlertLevel.CRITICAL, title, failure_text(context), link=getattr(instance, "log_url", None) or "")


def failure_text(context: Any) -> str:
    """Put what failed into lines."""
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


def _mail(context: Any, message: Message) -> None:
    from trading_lib.adapters.user_code.time_limit import TimeExceededError, time_limit

    try:
        with time_limit(MAIL_SECONDS, "the failure mail"):
            AirflowMail(context).send(message)
    except (Exception, TimeExceededError) as error:
        reason = " ".join(str(error).split())[:200]
        _keep(message, f"not mailed: {type(error).__name__}: {_without_secrets(reason)}\n")


def _tell_own(message: Message) -> None:
    """Send to the notifiers of monitoring.yaml, and note which did not take it."""
    from trading_lib.workflows.operations.notifications import notify

    try:
        problems = [f"{found.notifier}: {found.problem}" for found in notify(message) if found.problem]
    except Exception as error:
        problems = [f"no notifier was told: {type(error).__name__}: {' '.join(str(error).split())[:200]}"]
    if problems:
        _keep(message, "".join(f"{_without_secrets(problem)}\n" for problem in problems))


def _keep(message: Message, note: str) -> None:
    """Put the message and what hindered it into the file of the day; where even that fails, the log has the error."""
    from dataclasses import replace

    from trading_lib.adapters.alerts.mail_file import MailFile

    home = Path(os.environ.get("TRADING_HOME") or Path(__file__).resolve().parents[1] / ".local")
    MailFile(home / "mail").send(replace(message, text=f"{message.text}\n{note}"))


def _label(instance: Any) -> str:
    index = getattr(instance, "map_index", -1)
    name = getattr(instance, "rendered_map_index", None) or index
    suffix = f"[{name}]" if index is not None and index >= 0 else ""
    return f"{instance.dag_id}.{instance.task_id}{suffix}"


def _without_secrets(text: str) -> str:
    """Strike what stands where secrets stand, and what the environment holds under a name that sounds secret."""
    from trading_lib.adapters.logs.redaction import secret_values, without_secrets

    return without_secrets(text, secret_values())
