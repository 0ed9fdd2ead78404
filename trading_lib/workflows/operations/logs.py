"""Reading the structured log back: which lines are about a book, a session, a run."""

from __future__ import annotations

import json
import os
import re
from collections import deque
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from trading_lib.adapters.logs.rotating_file import log_files
from trading_lib.adapters.services.folders import StackFolders
from trading_lib.domain.errors import InputError
from trading_lib.workflows.stages.catalogue import EARLIER_NAMES

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def read_log(
    subject: Mapping[str, str | None],
    run: str | None = None,
    level: str | None = None,
    since: datetime | None = None,
    newest: int = 200,
    home: Path | None = None,
) -> dict[str, Any]:
    """Return the newest lines that match, oldest first, and how many lines could not be read.

    Parameters
    ----------
    subject
        Field -> its value; None matches any. A stage is also found under its earlier name.
    run
        How the run's name begins.
    home
        By default the installation's.
    """
    lowest = _rank(level) if level else 0
    folder = (home or StackFolders.locate(os.environ).home) / "logs"
    values = {name: {value, EARLIER_NAMES.get(value)} for name, value in subject.items() if value is not None}
    start = since.astimezone(UTC).isoformat() if since else ""
    kept: deque[dict[str, Any]] = deque(maxlen=newest)
    unreadable = 0
    for record in _records(folder):
        if record is None:
            unreadable += 1
        elif (
            all(record.get(name) in accepted for name, accepted in values.items())
            and str(record.get("run") or "").startswith(run or "")
            and (not lowest or str(record.get("level")) not in LEVELS[:lowest])
            and str(record.get("time")) >= start
        ):
            kept.append(record)
    return {"folder": str(folder), "unreadable_lines": unreadable, "lines": list(kept)}


def _records(folder: Path) -> Iterator[dict[str, Any] | None]:
    for path in log_files(folder):
        try:
            with path.open(encoding="utf-8", errors="replace") as file:
                for line in file:
                    try:
                        record = json.loads(line)
                    except ValueError:
                        record = None
                    yield record if isinstance(record, dict) and "message" in record and "time" in record else None
        except FileNotFoundError:
            continue  # deleted by its age at this moment
        except OSError as error:
            raise InputError(f"{path} cannot be read ({error.strerror})", "check its rights") from None


def _rank(level: str) -> int:
    if level.upper() not in LEVELS:
        raise InputError(f"there is no level {level!r}", f"use one of {', '.join(LEVELS)}")
    return LEVELS.index(level.upper())


def since_when(text: str, now: datetime) -> datetime:
    """Read ``2026-01-31``, ``2026-01-31T08:00`` (UTC unless it says otherwise), or an age such as ``12h``."""
    age = re.fullmatch(r"(\d{1,6})([mhd])", text)
    if age:
        return now - timedelta(**{UNITS[age[2]]: int(age[1])})
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        remedy = "write YYYY-MM-DD, YYYY-MM-DDTHH:MM, or an age: 30m, 12h, 7d"
        raise InputError(f"{text!r} is no time", remedy) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
