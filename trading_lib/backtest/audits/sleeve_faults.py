"""How often each sleeve's strategy failed in a run, and how: a run must not look good because of hidden failures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date

import numpy as np

from trading_lib.backtest.compiled.run import Run, SlowSession
from trading_lib.domain.errors import StrategyUnusableError
from trading_lib.session.step import SessionOutcome
from trading_lib.strategies.registry import running_sleeves


@dataclass(frozen=True, slots=True)
class SleeveFaults:
    """The failures of one sleeve.

    Attributes
    ----------
    sessions
        In how many it failed and kept its previous target.
    asked
        In how many its strategy was asked at all: of one that plans at month ends, those.
    first, message
        The first of them, and what was wrong there.
    """

    sessions: int
    asked: int
    first: date
    message: str


def faults_of(run: Run, rows: range) -> dict[str, SleeveFaults]:
    """Collect the failures by sleeve; a session with one is always traded on the slow path."""
    by_sleeve: dict[str, SleeveFaults] = {}
    for part in run.parts:
        if not isinstance(part, SlowSession):
            continue
        for name, record in part.outcome.decision.targets.sleeves.items():
            if fault := record.target.fault:
                earlier = by_sleeve.get(name) or SleeveFaults(0, 0, part.outcome.session, fault)
                by_sleeve[name] = replace(earlier, sessions=earlier.sessions + 1)
    if not by_sleeve:
        return by_sleeve
    month_ends = int(np.count_nonzero(run.data.panel.month_end[rows.start : rows.stop]))
    monthly = {s.name for s in running_sleeves(run.data.config.strategy) if getattr(s.strategy, "monthly", False)}
    return {
        name: replace(faults, asked=month_ends if name in monthly else len(rows)) for name, faults in by_sleeve.items()
    }


def refuse_useless(faults: Mapping[str, SleeveFaults]) -> None:
    """Raise `StrategyUnusableError` for a sleeve that failed in every session it was asked in."""
    for name, fault in faults.items():
        if fault.sessions >= fault.asked:
            raise StrategyUnusableError(
                f"sleeve {name} failed in all {fault.asked} sessions it was asked in, first on {fault.first}: "
                f"{fault.message}",
                "correct its strategy",
            )


def without_rule_faults(outcomes: Iterable[SessionOutcome]) -> Iterator[SessionOutcome]:
    """Pass sessions on, and raise `StrategyUnusableError` at the first in which a user's risk rule failed.

    Such a session buys nothing, which no strategy asked for: the rest of the run would show something else.
    """
    for outcome in outcomes:
        for fault in outcome.decision.assessment.rule_faults:
            raise StrategyUnusableError(f"{outcome.session}: {fault}", "correct the rule")
        yield outcome
