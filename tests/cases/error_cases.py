"""The 22 real Yahoo histories of yahoo_error_cases.parquet, judged case by case.

``python -m tests.cases.error_cases FILE`` prints the table.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from tests.builders.prices import instant, universe
from trading_lib.adapters.quality.price_tables import read_price_table
from trading_lib.validation.quality import ABOUT_HISTORIES, assess_prices
from trading_lib.validation.report import Finding, Severity

AS_OF = instant("2026-12-31")


@dataclass(frozen=True)
class JudgedCase:
    """One history: ``flagged`` are errors about the history, ``bar_errors`` those about the prices of single bars."""

    case: str
    state: str
    findings: tuple[Finding, ...]

    @property
    def flagged(self) -> tuple[Finding, ...]:
        return tuple(f for f in self.findings if f.severity is Severity.ERROR and f.rule in ABOUT_HISTORIES)

    @property
    def rules(self) -> tuple[str, ...]:
        return tuple(sorted({finding.rule for finding in self.flagged}))

    @property
    def bar_errors(self) -> tuple[Finding, ...]:
        return tuple(f for f in self.findings if f.severity is Severity.ERROR and f.rule not in ABOUT_HISTORIES)

    @property
    def faulty(self) -> bool:
        return self.state == "raw"


def judge_cases(file: Path, scratch: Path) -> list[JudgedCase]:
    """Write each history as a user would keep it, one file per symbol, and judge it alone."""
    judged = []
    for (case, state), rows in pd.read_parquet(file).groupby(["case", "state"], sort=True):
        path = scratch / f"{case}.{state}.csv"
        table = rows.rename(columns={"time_as_recorded": "date"}).drop(columns=["case", "state", "repaired"])
        table.assign(symbol=case).to_csv(path, index=False)
        read = read_price_table(path, universe())
        report = assess_prices(read.datasets, universe(), AS_OF)
        judged.append(JudgedCase(str(case), str(state), (*read.findings, *report.findings)))
    return judged


def table_of(judged: list[JudgedCase]) -> str:
    """One line per history, then the totals."""
    lines = [f"{'case':<31} {'state':<6} {'flagged by':<46} also seen (not about the history, or alerts only)"]
    for item in judged:
        others = {
            f"{f.rule} {sum(1 for g in item.findings if g.rule == f.rule)}"
            for f in item.findings
            if f not in item.flagged
        }
        verdict = ", ".join(item.rules) or ("MISSED" if item.faulty else "-")
        lines.append(f"{item.case:<31} {item.state:<6} {verdict:<46} {', '.join(sorted(others)) or '-'}")
    faulty = [item for item in judged if item.faulty]
    sound = [item for item in judged if not item.faulty]
    caught = sum(bool(item.flagged) for item in faulty)
    wrong = sum(bool(item.flagged) for item in sound)
    lines.append(f"faulty histories flagged: {caught} of {len(faulty)}; sound ones flagged: {wrong} of {len(sound)}")
    return "\n".join(lines)


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        print(table_of(judge_cases(Path(sys.argv[1]), Path(folder))))
