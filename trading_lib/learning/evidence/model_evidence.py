"""What is known about a model: `ModelEvidence`, as training reports and stores it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class WalkForwardEvidence:
    """The same figures where every model saw the past alone."""

    ic_mean: float
    active_sharpe: float


@dataclass(frozen=True, slots=True)
class ModelEvidence:
    """Figures of a model out of sample; NaN is not known.

    Attributes
    ----------
    ic_mean
        Mean of the sessions' information coefficients (Spearman), over the assembled paths.
    ic_t_nw, ic_t_nonoverlap
        t of that mean by Newey and West, and over sessions a label's horizon apart.
    ic_null_p, timing_null_p
        Share of null models that reach it: labels shuffled within sessions; labels rotated in time. None for what is
        not trained.
    nulls
        How many null models each of the two is from.
    ic_by_path, sharpe_by_path, active_sharpe_by_path
        One figure per path. Sharpe ratios are annualised, after costs; active is over the equal-weight universe.
    train_gap
        Active Sharpe ratio in training less that in validation.
    pbo, deflated_sharpe
        Probability of backtest overfitting over all trials, and deflated Sharpe ratio, both on active returns.
    feature_exposure
        Largest absolute rank correlation of its scores with one feature, and which.
    momentum_neutral_ic
        Mean information coefficient of what momentum does not explain of its scores.
    beats_baseline_p
        p-value that it is no better than the best untrained baselines: the larger of that in information coefficient
        and that in active return, each against the baseline that is best in it (paired block bootstrap).
    found
        Whether its coefficient is large enough and neither null test explains it: something was detected, which asks
        for less than `passed` does.
    passed, reasons
        The verdict, and what speaks against it.
    """

    ic_mean: float
    ic_t_nw: float
    ic_t_nonoverlap: float
    ic_by_path: tuple[float, ...]
    sharpe_by_path: tuple[float, ...]
    active_sharpe_by_path: tuple[float, ...]
    walk_forward: WalkForwardEvidence
    train_gap: float
    ic_null_p: float | None = None
    timing_null_p: float | None = None
    nulls: tuple[int, int] = (0, 0)
    pbo: float = float("nan")
    deflated_sharpe: float = float("nan")
    feature_exposure: tuple[str, float] = ("", 0.0)
    momentum_neutral_ic: float = float("nan")
    beats_baseline_p: float | None = None
    found: bool = False
    passed: bool = False
    reasons: tuple[str, ...] = field(default=())

    def report(self) -> dict[str, Any]:
        """Plain values, as training writes them."""
        return asdict(self)
