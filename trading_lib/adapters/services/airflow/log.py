"""The cause of a failed task from its log. Input: log entries. Output: text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

EXITED = "Task exited"


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One entry of a task's log.

    Attributes
    ----------
    level
        Lower case, empty when the entry has none.
    errors
        "Type: message" of each exception it carries, the outermost last.
    """

    event: str
    level: str = ""
    errors: tuple[str, ...] = ()

    @classmethod
    def parse(cls, entry: Mapping[str, Any] | str) -> LogEntry:
        """Read one entry as Airflow's REST interface returns it, structured or as a plain line."""
        if isinstance(entry, str):
            return cls(event=entry)
        details = entry.get("error_detail")
        items = [item for item in details if isinstance(item, Mapping)] if isinstance(details, list) else []
        errors = tuple(f"{item.get('exc_type')}: {item.get('exc_value')}" for item in reversed(items))
        return cls(event=str(entry.get("event", "")), level=str(entry.get("level") or "").lower(), errors=errors)


def error_tail(entries: Sequence[LogEntry], lines: int) -> str:
    """Return at most ``lines`` lines: the exceptions when there are any, else the last entries."""
    exceptions = [error for entry in entries for error in entry.errors]
    if not exceptions:
        exceptions = [entry.event for entry in entries if entry.level in ("error", "critical")]
        # How Airflow ends what has said itself why.
        exceptions = [event for event in exceptions if event != EXITED] or exceptions
    chosen = exceptions or [entry.event for entry in entries]
    text = "\n".join(chosen).strip().splitlines()
    return "\n".join(text[-lines:]) or "the task wrote no log"
