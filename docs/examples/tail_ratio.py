"""A metric of one's own: the best days beside the worst."""

from __future__ import annotations

import numpy as np

from trading_lib.performance.metrics.inputs import MetricInput
from trading_lib.performance.metrics.metric import Better, Bound, Missing, Unit


class TailRatio:
    """Above 1, the best days bring more than the worst cost."""

    name = "tail_ratio"
    definition = "95 % quantile of daily returns / the loss at their 5 % quantile"
    unit = Unit.RATIO
    better = Better.HIGHER
    target = Bound(target=1.2, minimum=0.9)

    def compute(self, run: MetricInput) -> float | Missing:
        """Return the figure of one run, or why there is none."""
        if len(run.returns) < 20:
            return Missing("fewer than 20 returns")
        worst, best = np.quantile(run.returns, [0.05, 0.95])
        return float(best / -worst) if worst < 0 else Missing("the worst days were no losses")
