"""Whether a challenger replaces the champion: daily information coefficients of both -> `Comparison`.

Without a champion it is compared with the best untrained baseline in the same way.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trading_lib.domain.market.prices import FloatArray
from trading_lib.learning.config import LearningConfig
from trading_lib.learning.evidence.bootstrap import mean_difference_p

# With less than three labels in a row that do not overlap, chance decides.
FEWEST_HORIZONS = 3


@dataclass(frozen=True, slots=True)
class Comparison:
    """A challenger against what it would replace.

    Attributes
    ----------
    against
        Name of the champion, or of the baseline.
    sessions
        Sessions on which both are known.
    difference
        Mean information coefficient of the challenger less the other's; NaN without a session.
    p
        p-value that it is no better; NaN where there are too few sessions.
    better
        Whether it may be promoted; an operator still has to.
    reason
        Why, in words.
    """

    against: str
    sessions: int
    difference: float
    p: float
    better: bool
    reason: str


def compare(challenger: FloatArray, other: FloatArray, against: str, config: LearningConfig) -> Comparison:
    """Compare two models on the sessions that both know.

    Parameters
    ----------
    challenger, other
        Shape (S,): information coefficients of the same sessions out of sample; NaN where one is missing.
    """
    both = np.isfinite(challenger) & np.isfinite(other)
    count, life = int(both.sum()), config.lifecycle
    difference = float(np.mean(challenger[both] - other[both])) if count else float("nan")
    fewest = FEWEST_HORIZONS * config.label.horizon
    if count < fewest:
        reason = f"{count} sessions in common with {against}, {fewest} are needed"
        return Comparison(against, count, difference, float("nan"), False, reason)
    tested = mean_difference_p(challenger, other, config.label.horizon, config.evidence.bootstrap_samples, config.seed)
    p = tested.p_value
    better = difference > life.better_by and p < life.better_p
    reason = (
        f"mean IC {difference:+.3f} against {against} (more than {life.better_by:g} is needed), "
        f"p {p:.3f} (below {life.better_p:g} is needed), {count} sessions"
    )
    return Comparison(against, count, difference, p, better, reason)
