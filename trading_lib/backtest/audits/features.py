"""The audit of what models see: no feature may depend on what became known after its session's decision.

Input: `RawHistory` and the way from it to features. Output: `FeatureAudit`. The history is cut at some decisions and
the features are computed again; the lookahead audit does the same with everything else that is decided on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np

from trading_lib.backtest.audits.truncation import RawHistory
from trading_lib.domain.market.prices import DateArray
from trading_lib.domain.market.sessions import SessionCalendar
from trading_lib.learning.dataset import FeaturePanel

# Raw observations and the last session -> the features of every session up to it.
FeatureBuild = Callable[[RawHistory, date], FeaturePanel]


@dataclass(frozen=True, slots=True)
class FeatureLeak:
    """The first value of a feature that is another one without the future.

    Attributes
    ----------
    full, known
        With the whole history, and with what was known at the decision of ``cut``; NaN where there is none.
    cuts
        How many of the cuts show it.
    """

    feature: str
    session: date
    symbol: str
    full: float
    known: float
    cut: date
    cuts: int = 1


@dataclass(frozen=True, slots=True)
class FeatureAudit:
    """What was compared, and every feature that had seen the future."""

    features: tuple[str, ...]
    cuts: tuple[date, ...]
    leaks: tuple[FeatureLeak, ...]


def audit_features(
    history: RawHistory, build: FeatureBuild, cuts: Sequence[date], last: date, calendar: SessionCalendar
) -> FeatureAudit:
    """Compute the features on the whole history and on what was known at each cut, and compare every row up to it.

    Parameters
    ----------
    cuts
        Sessions, ascending.
    last
        Last session of the whole history.
    """
    full = build(history, last)
    leaks: dict[str, FeatureLeak] = {}
    for cut in cuts:
        known = build(history.known_at(calendar.decision_time(cut)), cut)
        for leak in _differences(full, known, cut):
            earlier = leaks.get(leak.feature)
            leaks[leak.feature] = leak if earlier is None else replace(earlier, cuts=earlier.cuts + 1)
    found = sorted(leaks.values(), key=lambda leak: (leak.session, leak.feature))
    return FeatureAudit(full.names, tuple(cuts), tuple(found))


def choose_sessions(sessions: DateArray, count: int, seed: int) -> list[date]:
    """Draw ascending sessions to cut at, never the last one."""
    candidates = sessions[:-1]
    chosen = np.random.default_rng(seed).choice(len(candidates), min(count, len(candidates)), replace=False)
    days: list[date] = candidates[np.sort(chosen)].tolist()
    return days


def _differences(full: FeaturePanel, known: FeaturePanel, cut: date) -> list[FeatureLeak]:
    """Find the first differing session and asset of each feature."""
    rows = int(np.searchsorted(full.sessions, np.datetime64(cut))) + 1
    if not np.array_equal(full.sessions[:rows], known.sessions):
        return [FeatureLeak("sessions", cut, "", float(rows), float(len(known.sessions)), cut)]
    leaks = []
    for position, name in enumerate(full.names):
        ours, theirs = full.values[position, :rows], known.values[position]
        differing = np.argwhere((ours != theirs) & ~(np.isnan(ours) & np.isnan(theirs)))
        if len(differing):
            row, asset = (int(index) for index in differing[0])
            session: date = full.sessions[row].item()
            values = (float(ours[row, asset]), float(theirs[row, asset]))
            leaks.append(FeatureLeak(name, session, full.symbols[asset], *values, cut))
    return leaks
