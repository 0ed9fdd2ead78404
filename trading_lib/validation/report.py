"""What validation says: findings, and the bars split into accepted and quarantined."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from trading_lib.domain.market.prices import Bars


class Severity(StrEnum):
    """ERROR quarantines the bar (no new risk in the symbol that session); WARNING alerts only."""

    ERROR = "ERROR"
    WARNING = "WARNING"


@dataclass(frozen=True, slots=True)
class Finding:
    """One rule that one bar breaks.

    Attributes
    ----------
    session
        The bar's date.
    rule
        Name of the rule, e.g. "high_below_low".
    value
        The offending number (a price, a volume, a return as a fraction), None when there is none.
    message
        One line with symbol, date and numbers.
    dataset
        File and capture it was found in, empty where there is only one.
    """

    symbol: str
    session: date
    rule: str
    severity: Severity
    value: float | None
    message: str
    dataset: str = ""


@dataclass(frozen=True, slots=True)
class ValidationReport:
    """Bars split by what validation found; together they are the bars that came in.

    Attributes
    ----------
    accepted
        Bars without an ERROR finding, warnings included.
    quarantined
        Bars with at least one ERROR finding, and those that are left out with a WARNING: kept, never traded on.
    findings
        Ordered by symbol, session and rule.
    """

    accepted: Bars
    quarantined: Bars
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> tuple[Finding, ...]:
        """Findings that quarantined their bar."""
        return tuple(f for f in self.findings if f.severity is Severity.ERROR)

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """Findings that only alert."""
        return tuple(f for f in self.findings if f.severity is Severity.WARNING)
