"""The warm-up audit: how much history each number needs until it no longer depends on where the history began.

The same sessions are computed and decided again on histories that begin later, each time from the same book, and
compared with the full history. A moving average agrees as soon as its window is full; Wilder's averages (RSI, ATR) keep
a memory of their first value that fades by a factor of 13/14 a bar.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date

import numpy as np

from trading_lib.backtest.audits.lookahead import Build, Progress, every_sleeve
from trading_lib.backtest.audits.truncation import RawHistory
from trading_lib.decision import Decision, decide
from trading_lib.decision_config import DecisionConfig
from trading_lib.domain.errors import SessionError
from trading_lib.domain.market.market_view import MarketView, view_at
from trading_lib.domain.market.prices import FloatArray
from trading_lib.factors.calculator import PRICE_LIKE
from trading_lib.session.inputs import SessionInput
from trading_lib.session.step import SessionOutcome, trade_sessions

# Sessions after the later beginning that are looked at: a year of momentum, and Wilder's memory down to 1e-9.
HORIZON = 400
LOOSE, TIGHT = 1e-6, 1e-9
FACTOR, REGIME, SLEEVE, DECISION = "factor", "regime", "sleeve", "decision"
KINDS = (FACTOR, REGIME, SLEEVE, DECISION)

_Key = tuple[str, str]
# Of each session after a later beginning, shape (HORIZON,); infinite where a value is missing.
_Errors = FloatArray


@dataclass(frozen=True, slots=True)
class WarmUp:
    """How long one number needs, in sessions, the decided one included; the longest over assets and beginnings.

    Attributes
    ----------
    loose, tight
        Until it stays within 1e-6 and 1e-9 of the full history's, relative to the usual size of the number; None when
        it does not within `HORIZON`.
    """

    kind: str
    name: str
    loose: int | None
    tight: int | None


@dataclass(frozen=True, slots=True)
class WarmUpReport:
    """Every factor, the regime, every sleeve, and the configured decision as a whole.

    Attributes
    ----------
    beginnings
        Where the shortened histories began.
    """

    first: date
    last: date
    beginnings: tuple[date, ...]
    horizon: int
    rows: tuple[WarmUp, ...]

    @property
    def recommended(self) -> int | None:
        """Sessions before the first decision of a run: what its slowest part needs to 1e-6, None when unknown."""
        needs = [row.loose for row in self.rows if row.kind != FACTOR]
        return None if any(need is None for need in needs) else max(need for need in needs if need is not None)


def audit_warm_up(
    history: RawHistory,
    build: Build,
    first: date,
    last: date,
    beginnings: int = 4,
    everything: DecisionConfig | None = None,
    progress: Progress = lambda line: None,
) -> WarmUpReport:
    """Start the history at several later sessions and compare.

    Parameters
    ----------
    everything
        Configuration in which the sleeves are looked at; default `every_sleeve` of the data's.

    Raises
    ------
    SessionError
        When the data is too short to begin later and still look at `HORIZON` sessions.
    """
    full = build(history, last)
    sessions = full.panel.sessions
    start, stop = (int(np.searchsorted(sessions, np.datetime64(day))) for day in (first, last))
    room = stop - start - HORIZON
    if room < 1:
        raise SessionError(
            f"from {first} to {last} there are {max(stop - start + 1, 0)} sessions",
            f"the warm-up audit needs more than {HORIZON}",
        )
    configs = (full.config, everything or every_sleeve(full.config))
    recorded = [list(trade_sessions(replace(full, config=config), range(start, stop + 1))) for config in configs]
    progress(f"ran {len(recorded[0])} sessions, {first} to {last}")
    chosen = np.unique(np.linspace(start + 1, start + room, beginnings).astype(int)).tolist()
    by_key: dict[_Key, list[_Errors]] = {}
    for number, row in enumerate(chosen):
        begun: date = sessions[row].item()
        shorter = build(history.since(begun), sessions[row + HORIZON - 1].item())
        step = row - start
        runs = [
            (config, outcomes[step - 1 : step + HORIZON]) for config, outcomes in zip(configs, recorded, strict=True)
        ]
        for key, error in (*_factor_errors(full, shorter, row), *_decision_errors(full, shorter, row, runs)):
            by_key.setdefault(key, []).append(error)
        progress(f"{number + 1} of {len(chosen)} later beginnings compared")
    rows = tuple(
        WarmUp(kind, name, _need(errors, LOOSE), _need(errors, TIGHT))
        for (kind, name), errors in sorted(by_key.items(), key=lambda item: KINDS.index(item[0][0]))
    )
    begun_at = tuple(sessions[chosen].tolist())
    return WarmUpReport(recorded[0][0].session, recorded[0][-1].session, begun_at, HORIZON, rows)


def _factor_errors(full: SessionInput, shorter: SessionInput, row: int) -> Iterator[tuple[_Key, _Errors]]:
    for name in full.factors.names:
        ours = _in_dollars(full, name)[row : row + HORIZON]
        theirs = _in_dollars(shorter, name)[:HORIZON]
        usual = float(np.nanmedian(np.abs(ours))) if np.isfinite(ours).any() else 1.0
        error = np.abs(ours - theirs) / np.maximum(np.abs(ours), usual)
        error[~np.isfinite(ours)] = 0.0
        yield (FACTOR, name), np.where(np.isfinite(error), error, np.inf).max(axis=1)


def _in_dollars(data: SessionInput, name: str) -> FloatArray:
    """One factor, shape (T, n); a total-return price depends on where the history began, dollars do not."""
    values: FloatArray = data.factors.values[data.factors.names.index(name)]
    return values / data.factors.price_factor if name in PRICE_LIKE else values


def _decision_errors(
    full: SessionInput, shorter: SessionInput, row: int, runs: list[tuple[DecisionConfig, list[SessionOutcome]]]
) -> Iterator[tuple[_Key, _Errors]]:
    """Decide every session on both histories from the same book."""
    errors: dict[_Key, _Errors] = {}
    for step in range(HORIZON):
        views = [_month_end_view(data, at) for data, at in ((full, row + step), (shorter, step))]
        for number, (config, outcomes) in enumerate(runs):
            before, portfolio = outcomes[step].end_of_day, outcomes[step + 1].end_of_day.portfolio
            ours, theirs = (decide(view, portfolio, before.risk, config, full.book, before.sleeves) for view in views)
            of_sleeves = _sleeve_errors(ours, theirs) if number else _errors_as_configured(ours, theirs)
            for key, error in of_sleeves.items():
                errors.setdefault(key, np.zeros(HORIZON))[step] = error
    yield from errors.items()


def _month_end_view(data: SessionInput, row: int) -> MarketView:
    """Treat every session as a month end, or a monthly sleeve would need what happens to be there at the few it has."""
    return replace(view_at(data.universe, data.panel, data.factors, row, funding=data.funding), month_end=True)


def _errors_as_configured(ours: Decision, theirs: Decision) -> dict[_Key, float]:
    level = abs(ours.assessment.effective_level - theirs.assessment.effective_level)
    weights = float(np.abs(ours.assessment.weights - theirs.assessment.weights).max())
    same_regime = ours.regime.regime is theirs.regime.regime
    return {(REGIME, "regime"): 0.0 if same_regime else np.inf, (DECISION, "as configured"): max(weights, float(level))}


def _sleeve_errors(ours: Decision, theirs: Decision) -> dict[_Key, float]:
    return {
        (SLEEVE, name): float(np.abs(record.target.weights - theirs.targets.sleeves[name].target.weights).max())
        for name, record in ours.targets.sleeves.items()
    }


def _need(errors: list[_Errors], tolerance: float) -> int | None:
    """Sessions until the error stays within the tolerance on every shortened history."""
    worst = np.maximum.reduce(errors)
    beyond = np.flatnonzero(~(worst <= tolerance))
    if not len(beyond):
        return 1
    return None if beyond[-1] == HORIZON - 1 else int(beyond[-1]) + 2
