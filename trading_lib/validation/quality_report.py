"""What a validation of whole data sets says: findings, and a line per symbol."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from trading_lib.domain.market.missing_data import MissingData
from trading_lib.validation.report import Finding, Severity


@dataclass(frozen=True, slots=True)
class SymbolQuality:
    """One symbol in one data set.

    Attributes
    ----------
    bars
        Rows, the quarantined ones included.
    first, last
        Dates of its first and last row, None without rows.
    coverage
        Share of its calendar's sessions between them that have a row; None where the calendar is unknown.
    quarantined
        Rows with a structural ERROR.
    rules
        Rule -> number of findings.
    worst
        Gravest severity, None when nothing was found.
    """

    symbol: str
    dataset: str
    bars: int
    first: date | None
    last: date | None
    coverage: float | None
    quarantined: int
    rules: Mapping[str, int]
    worst: Severity | None


@dataclass(frozen=True, slots=True)
class DataQualityReport:
    """Everything found in a set of files.

    Attributes
    ----------
    symbols
        Ordered by symbol, the data set that is traded on first.
    findings
        Ordered by symbol, session, rule and data set.
    notes
        What was looked at and what was left out.
    missing
        What the rules read and the files do not have; None where nobody looked for it.
    """

    symbols: tuple[SymbolQuality, ...]
    findings: tuple[Finding, ...]
    notes: tuple[str, ...] = ()
    missing: MissingData | None = None

    @property
    def worst(self) -> Severity | None:
        """Gravest severity of all findings, None when there is none."""
        return worst_of(self.findings)

    @property
    def counts(self) -> Mapping[str, int]:
        """Rule -> number of findings."""
        return rule_counts(self.findings)

    def as_record(self) -> dict[str, Any]:
        """Return the report in values that JSON has: ``findings``, ``symbols``, ``counts``, ``worst`` and ``notes``.

        ``symbols`` maps a symbol to what its first data set says; further ones stand under ``others``. ``missing``
        is there where somebody looked for what is absent.
        """
        symbols: dict[str, dict[str, Any]] = {}
        for quality in self.symbols:
            entry = _symbol_record(quality)
            if quality.symbol in symbols:
                symbols[quality.symbol].setdefault("others", []).append(entry)
            else:
                symbols[quality.symbol] = entry
        return {
            "findings": [_finding_record(finding) for finding in self.findings],
            "symbols": symbols,
            "counts": dict(self.counts),
            "worst": self.worst,
            "notes": list(self.notes),
            **({} if self.missing is None else {"missing": self.missing.as_record()}),
        }


def ordered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Sort findings by symbol, session, rule and data set; word for word the same one counts once."""
    unique = dict.fromkeys(findings)
    return tuple(sorted(unique, key=lambda f: (f.symbol, f.session, f.rule, f.dataset)))


def worst_of(findings: Iterable[Finding]) -> Severity | None:
    """Gravest severity, None without findings."""
    severities = {finding.severity for finding in findings}
    return Severity.ERROR if Severity.ERROR in severities else next(iter(severities), None)


def rule_counts(findings: Sequence[Finding]) -> dict[str, int]:
    """Rule -> number of findings, by name."""
    return dict(sorted(Counter(finding.rule for finding in findings).items()))


def _symbol_record(quality: SymbolQuality) -> dict[str, Any]:
    return {
        "dataset": quality.dataset,
        "bars": quality.bars,
        "first": quality.first.isoformat() if quality.first else None,
        "last": quality.last.isoformat() if quality.last else None,
        "coverage": None if quality.coverage is None else round(quality.coverage, 6),
        "quarantined": quality.quarantined,
        "rules": dict(quality.rules),
        "worst": quality.worst,
    }


def _finding_record(finding: Finding) -> dict[str, Any]:
    return {
        "symbol": finding.symbol,
        "session": finding.session.isoformat(),
        "rule": finding.rule,
        "severity": str(finding.severity),
        "value": finding.value,
        "message": finding.message,
        "dataset": finding.dataset,
    }
