"""The report of the lookahead audit, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from trading_lib.backtest.audits.differences import Difference


class Check(StrEnum):
    """The check that revealed a difference."""

    CUT = "history cut there"
    SCRAMBLED = "later data scrambled"
    REPEATED = "the same data again"
    COMPLETE_RUN = "complete run on the cut history"
    OPENING = "another opening"
    LOOP = "the compiled loop against session by session"


@dataclass(frozen=True, slots=True)
class Finding:
    """A result that depends on information from after the decision.

    Attributes
    ----------
    difference
        The earliest one found, of this layer and name.
    cut
        The session at whose decision the history was cut.
    times
        At how many cuts it came out different.
    origin
        Whether no earlier stage differed there: the cause, not a consequence.
    """

    difference: Difference
    check: Check
    cut: date
    times: int
    origin: bool


@dataclass(frozen=True, slots=True)
class LookaheadReport:
    """What was audited, and the findings: causes before consequences.

    Attributes
    ----------
    fills_checked
        Fills whose price was compared under another opening.
    sleeve_faults
        Sleeve -> sessions in which it failed, and so was hardly audited.
    """

    first: date
    last: date
    sessions: int
    cuts: tuple[date, ...]
    complete_runs: int
    factors: tuple[str, ...]
    sleeves: tuple[str, ...]
    fills_checked: int
    sleeve_faults: Mapping[str, int]
    findings: tuple[Finding, ...]
