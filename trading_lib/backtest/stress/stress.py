"""How a strategy came through its scenarios, and whether that is good enough (docs/specification.md#stress-tests)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import numpy as np
from numpy.typing import NDArray

from trading_lib.backtest.audits.sleeve_faults import SleeveFaults
from trading_lib.backtest.engine import BacktestResult
from trading_lib.backtest.stress.scenarios import PassCriteria
from trading_lib.domain.market.prices import DateArray, FloatArray

LIQUIDATION_LEVEL = 4


@dataclass(frozen=True, slots=True)
class ScenarioOutcome:
    """One scenario, S sessions.

    Attributes
    ----------
    status
        "run", or "absent" with the reason: then nothing is known, and nothing passed.
    first, last
        Of the scenario; its first and last session when it ran.
    max_drawdown
        Largest fall of net asset value from its peak inside the scenario, the previous close included.
    level_sessions
        Sessions spent at each risk level 0 to 4.
    absent_assets
        Assets without a price when the scenario began.
    faults
        Failures of the strategies by sleeve, the book's lead included.
    sessions, nav, levels
        Shape (S,).
    """

    name: str
    kind: str
    limit: float
    first: date | None
    last: date | None
    status: str = "run"
    reason: str = ""
    max_drawdown: float | None = None
    total_return: float | None = None
    max_risk_level: int | None = None
    level_sessions: tuple[int, ...] = ()
    lead_sessions: int = 0
    absent_assets: tuple[str, ...] = ()
    faults: Mapping[str, SleeveFaults] = field(default_factory=dict)
    sessions: DateArray | None = None
    nav: FloatArray | None = None
    levels: NDArray[np.int8] | None = None

    @property
    def passed(self) -> bool | None:
        """Whether the drawdown stayed below the limit; None for a scenario that could not run."""
        return None if self.max_drawdown is None else self.max_drawdown < self.limit


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether all criteria hold, and a message for each that does not."""

    passed: bool
    worst_drawdown: float | None
    average_drawdown: float | None
    highest_level: int | None
    failures: tuple[str, ...]


def drawdown_within(nav: FloatArray) -> float:
    """Largest fall from a running peak, as a positive fraction."""
    return float((1.0 - nav / np.maximum.accumulate(nav)).max())


def measure_scenario(
    name: str, kind: str, limit: float, result: BacktestResult, first: date, absent_assets: tuple[str, ...]
) -> ScenarioOutcome:
    """Look at the part of a run that lies in the scenario.

    Parameters
    ----------
    first
        First session of the scenario; what came before is the book's lead.
    """
    start = int(np.searchsorted(result.sessions, np.datetime64(first)))
    previous_close = max(start - 1, 0)
    nav, levels = result.nav[previous_close:], result.levels[start:]
    return ScenarioOutcome(
        name=name,
        kind=kind,
        limit=limit,
        first=result.sessions[start].item(),
        last=result.sessions[-1].item(),
        max_drawdown=drawdown_within(nav),
        total_return=float(nav[-1] / nav[0] - 1.0),
        max_risk_level=int(levels.max()),
        level_sessions=tuple(int((levels == level).sum()) for level in range(LIQUIDATION_LEVEL + 1)),
        lead_sessions=start,
        absent_assets=absent_assets,
        faults=result.faults,
        sessions=result.sessions[start:],
        nav=result.nav[start:],
        levels=levels,
    )


def judge_scenarios(outcomes: Sequence[ScenarioOutcome], criteria: PassCriteria) -> Verdict:
    """Apply the criteria; a scenario that could not run has not been passed."""
    failures = [f"{o.name} could not run: {o.reason}" for o in outcomes if o.status != "run"]
    failures += [
        f"{o.name}: sleeve {name} failed in {fault.sessions} of {fault.asked} sessions: {fault.message}"
        for o in outcomes
        for name, fault in o.faults.items()
    ]
    ran = [(o, o.max_drawdown, o.max_risk_level) for o in outcomes]
    measured = [(o, fall, level) for o, fall, level in ran if fall is not None and level is not None]
    for outcome, fall, level in measured:
        if not outcome.passed:
            failures.append(f"{outcome.name} lost {fall:.1%}, not below its limit of {outcome.limit:.0%}")
        if not fall < criteria.max_drawdown:
            failures.append(f"{outcome.name} lost {fall:.1%}, not below {criteria.max_drawdown:.0%}")
        if level > criteria.highest_level:
            failures.append(f"{outcome.name} reached risk level {level}")
    worst = max((fall for _, fall, _ in measured), default=None)
    average = sum(fall for _, fall, _ in measured) / len(measured) if measured else None
    if average is not None and not average < criteria.average_drawdown:
        failures.append(f"the average loss is {average:.1%}, not below {criteria.average_drawdown:.0%}")
    highest = max((level for _, _, level in measured), default=None)
    return Verdict(bool(measured) and not failures, worst, average, highest, tuple(failures))
