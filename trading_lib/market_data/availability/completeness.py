"""Completeness of a price history. Input: stored days, due days. Output: `Completeness` with its gaps. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np

from trading_lib.domain.market.prices import DateArray


@dataclass(frozen=True, slots=True)
class Gap:
    """Consecutive due days without a bar."""

    first: date
    last: date
    days: int


@dataclass(frozen=True, slots=True)
class Completeness:
    """A history against its calendar.

    Attributes
    ----------
    first, newest
        Its first and newest stored day.
    before_first
        Due days between inception and the first stored one.
    gaps
        Between the first and the newest stored day.
    behind
        Due days after the newest stored one; 0 for a fresh history.
    unexpected
        Stored days that are not in the calendar.
    """

    first: date
    newest: date
    before_first: int
    gaps: tuple[Gap, ...]
    behind: int
    unexpected: int

    @property
    def missing(self) -> int:
        """Number of days in all gaps."""
        return sum(gap.days for gap in self.gaps)


def compare(stored: DateArray, due: DateArray) -> Completeness:
    """Compare stored days with those that are due.

    Parameters
    ----------
    stored, due
        datetime64[D], ascending, each day once; ``stored`` is not empty.
    """
    first, newest = stored[0], stored[-1]
    inside = due[(due >= first) & (due <= newest)]
    return Completeness(
        first=first.item(),
        newest=newest.item(),
        before_first=int((due < first).sum()),
        gaps=runs_of_missing(inside, stored),
        behind=int((due > newest).sum()),
        unexpected=int((~np.isin(stored, due)).sum()),
    )


def runs_of_missing(due: DateArray, stored: DateArray) -> tuple[Gap, ...]:
    """Due days that are not stored; days that follow each other in the calendar make one gap."""
    absent = np.flatnonzero(~np.isin(due, stored))
    if not len(absent):
        return ()
    breaks = np.flatnonzero(np.diff(absent) > 1) + 1
    return tuple(Gap(due[run[0]].item(), due[run[-1]].item(), len(run)) for run in np.split(absent, breaks))
