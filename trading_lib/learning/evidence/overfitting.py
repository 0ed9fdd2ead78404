"""How much of the best active return is search? Overfitting and deflated Sharpe ratio of active returns."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from trading_lib.domain.market.prices import FloatArray
from trading_lib.learning.evidence.track import Track
from trading_lib.performance.significance.deflated_sharpe import Trials, judge_sharpe
from trading_lib.performance.significance.overfitting import probability_of_overfitting


def active_overfitting(tracks: Mapping[str, Track], earlier: FloatArray | None, blocks: int) -> float:
    """Probability that the best by active Sharpe ratio ends in the lower half out of sample, over all trials.

    Parameters
    ----------
    earlier
        Active returns of earlier trials over the same sessions, shape (S, k); sessions that any trial lacks are left
        out.
    blocks
        Even; fewer are taken where the sessions do not fill them with two each.

    Returns
    -------
    float
        NaN with fewer than two trials or eight sessions.
    """
    columns = [track.active_return[:, None] for track in tracks.values()]
    trials = np.hstack(columns + ([] if earlier is None else [earlier])) if columns else np.empty((0, 0))
    trials = trials[np.isfinite(trials).all(axis=1)]
    fitting = min(blocks, len(trials) // 4 * 2)
    if trials.shape[1] < 2 or fitting < 4:
        return math.nan
    return probability_of_overfitting(trials, fitting).probability


def deflated_active_sharpe(track: Track, trials: Trials) -> float:
    """Probability that the true active Sharpe ratio is above 0 after so many trials; the mean over the paths.

    The paths are judged one by one: money spread over them all would be calmer than any book that is ever traded.
    """
    found = []
    for path in track.active:
        evidence = judge_sharpe(path[np.isfinite(path)], trials.count, trials.sharpes)
        found.append(math.nan if evidence is None else evidence.deflated)
    return float(np.mean(found)) if found else math.nan


def trial_sharpes(tracks: Mapping[str, Track]) -> tuple[float, ...]:
    """Active Sharpe ratios per period of trials that vary, the mean over their paths."""
    found = []
    for track in tracks.values():
        known = [path[np.isfinite(path)] for path in track.active]
        ratios = [float(path.mean() / path.std(ddof=1)) for path in known if len(path) > 2 and path.std() > 1e-12]
        if ratios:
            found.append(float(np.mean(ratios)))
    return tuple(found)
