"""Rules of the write-ahead log's archive: which base backup a time needs, what is missing, what may go.

Inputs are names of log files, base backups and times; outputs say what to use, to refuse or to remove.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import Field

from trading_lib.domain.configuration import Configuration

SEGMENT = re.compile(r"[0-9A-F]{24}")
PARTIAL = ".partial"
SEGMENT_BYTES = 16 * 1024**2
# Files of one number in the middle of a name: 4 GB of log.
FILES_PER_NUMBER = 0x1_0000_0000 // SEGMENT_BYTES


class WalConfig(Configuration):
    """The part ``wal`` of backup.yaml.

    Attributes
    ----------
    folder
        Of the archive, which should lie on another machine; "" for none: the log is not received.
    keep_days
        How far back a restore reaches.
    base_hours
        Age at which another base backup is taken: a restore replays what was written since.
    slot_megabytes
        What the server keeps for a receiver that is away; beyond that the receiver starts anew: the disk comes first.
    lag_seconds
        How much the archive may be behind before a person is told.
    tick_seconds
        How often the time is written into the log, so that an idle database's archive is known to be complete.
    """

    folder: str = ""
    keep_days: int = Field(7, ge=1, le=3650)
    base_hours: float = Field(24.0, gt=0, le=24 * 365)
    slot_megabytes: int = Field(1024, ge=64, le=1024**2)
    lag_seconds: float = Field(60.0, gt=0, le=24 * 3600)
    tick_seconds: float = Field(5.0, ge=0.1, le=3600)


@dataclass(frozen=True, slots=True)
class BaseBackup:
    """A base backup, from which a restore starts.

    Attributes
    ----------
    id
        Name of its folder.
    line
        The cluster and timeline it belongs to: name of the folder that also holds their log.
    started_at, ended_at
        By the server's clock; it can be restored to any time from ``ended_at`` on.
    first_segment
        The first log file a restore from it reads.
    files
        Name -> SHA-256 of its files.
    """

    id: str
    line: str
    started_at: datetime
    ended_at: datetime
    first_segment: str
    size: int
    pg_version: str
    files: dict[str, str]


@dataclass(frozen=True, slots=True)
class Expired:
    """What may be removed from a line's folder."""

    bases: tuple[BaseBackup, ...]
    segments: tuple[str, ...]


def segment_number(name: str) -> int:
    """Count log files from the beginning of a timeline."""
    return int(name[8:16], 16) * FILES_PER_NUMBER + int(name[16:24], 16)


def position(text: str) -> int:
    """Read a position in the log, ``0/16B3748``, as bytes from its beginning."""
    high, _, low = text.partition("/")
    return (int(high, 16) << 32) + int(low, 16)


def first_gap(names: Iterable[str], first: str) -> str | None:
    """Return the log file after which one is missing, from ``first`` on; "" when ``first`` is; None when none is."""
    numbers = {segment_number(name): name for name in names}
    number = segment_number(first)
    if number not in numbers:
        return ""
    while number + 1 in numbers:
        number += 1
    return None if number == max(numbers) else numbers[number]


def base_for(bases: Iterable[BaseBackup], moment: datetime | None) -> BaseBackup | None:
    """Return the newest base backup that was complete by ``moment``, of all without one; None when there is none."""
    fitting = [base for base in bases if moment is None or base.ended_at <= moment]
    return max(fitting, key=lambda base: (base.ended_at, base.id), default=None)


def expired(
    bases: Sequence[BaseBackup], segments: Iterable[str], now: datetime, keep_days: int, is_current: bool
) -> Expired:
    """Say what of one line nobody needs any more to restore to any time of the last ``keep_days``.

    The newest base backup from before them stays, and of the line in use the newest two in any case: a clock that is
    ahead costs nothing. Log files go that are older than what the oldest one left needs.
    """
    stored = sorted(bases, key=lambda base: (base.ended_at, base.id))
    limit = now - timedelta(days=keep_days)
    old = [base for base in stored if base.ended_at < limit]
    if is_current:
        old = [base for base in old if base not in stored[-2:]]
    # From the last of the old ones times after the limit are reached, unless nothing is left behind it.
    going = old[:-1] if len(old) < len(stored) else old
    kept = [base for base in stored if base not in going]
    if not kept:
        return Expired(tuple(going), tuple(segments) if not is_current else ())
    needed = min(segment_number(base.first_segment) for base in kept)
    return Expired(tuple(going), tuple(name for name in segments if segment_number(name) < needed))
