"""Weights in which every asset carries the same share of the risk. Input: a covariance. Output: weights, sum 1.

Roncalli, Introduction to Risk Parity and Budgeting (2013): the long-only weights whose contributions
``w_i (C w)_i / (w' C w)`` equal the budgets ``b_i`` are the scaled minimum of ``x' C x / 2 - sum_i b_i log x_i`` over
x > 0, a strictly convex problem. Cyclical coordinate descent solves one asset at a time in closed form
(Griveau-Billion, Richard, Roncalli, A Fast Algorithm for Computing High-dimensional Risk Parity Portfolios, 2013).
Where assets hedge one another it slows down, and Newton's method goes on from there (Spinu, An Algorithm for Computing
Risk Parity Weights, 2013).
"""

from __future__ import annotations

import numpy as np

from trading_lib.domain.errors import OptimisationError
from trading_lib.domain.kernels import compiled
from trading_lib.domain.market.prices import FloatArray

MAX_SWEEPS = 100
MAX_NEWTON_STEPS = 100
# Largest relative difference between a contribution and its budget.
TOLERANCE = 1e-9
# A portfolio with this share of the variance its assets have alone is hedged away: contributions mean nothing there.
HEDGED = 1e-12


def equal_risk_contributions(covariance: FloatArray, budgets: FloatArray | None = None) -> FloatArray:
    """Long-only, fully invested risk parity weights, shape (k,).

    One asset gets everything. An asset without variance cannot contribute risk and gets 0. A singular covariance is no
    trouble (a perfectly correlated pair shares by volatility), unless the assets hedge one another completely.

    Parameters
    ----------
    covariance
        Shape (k, k), symmetric positive semi-definite, any scale.
    budgets
        Shape (k,), positive: shares of risk; None means equal ones. They are scaled to sum 1.

    Raises
    ------
    OptimisationError
        When a covariance is NaN, no asset has variance, or the weights do not exist or are not found.
    ValueError
        When the shapes do not fit or a budget is not positive.
    """
    assets = len(covariance)
    shares = np.full(assets, 1.0 / max(assets, 1)) if budgets is None else np.asarray(budgets, dtype=np.float64)
    if covariance.shape != (assets, assets) or shares.shape != (assets,):
        raise ValueError(f"expected a square covariance and as many budgets, got {covariance.shape}, {shares.shape}")
    if not (np.isfinite(shares) & (shares > 0)).all():
        raise ValueError(f"risk budgets must be positive, got {shares}")
    variance = np.diagonal(covariance)
    risky = np.flatnonzero(variance > 0)
    if not np.isfinite(covariance).all():
        raise OptimisationError("a covariance is not a finite number", "leave out assets without enough returns")
    if not len(risky):
        raise OptimisationError("no asset has variance, so there is no risk to share", "leave such assets out")
    deviation = np.sqrt(variance[risky])
    correlation = np.ascontiguousarray(covariance[np.ix_(risky, risky)] / np.outer(deviation, deviation))
    target = shares[risky] / shares[risky].sum()
    solution, converged = _descend(correlation, target, MAX_SWEEPS, TOLERANCE)
    if not converged:
        solution, converged = _newton(correlation, target, solution)
    if not converged:
        raise OptimisationError(
            f"risk parity of {len(risky)} assets was not found: they hedge one another almost completely",
            "weight them by inverse volatility",
        )
    weights = np.zeros(assets)
    weights[risky] = solution / deviation
    weights /= weights.sum()
    return weights


@compiled
def _descend(
    correlation: FloatArray, budgets: FloatArray, max_sweeps: int, tolerance: float
) -> tuple[FloatArray, bool]:
    """Volatility-scaled weights, shape (k,), and whether their contributions meet the budgets."""
    assets = correlation.shape[0]
    scaled = np.sqrt(budgets)
    for _ in range(max_sweeps):
        total = 0.0
        marginal = np.zeros(assets)
        for i in range(assets):
            for j in range(assets):
                marginal[i] += correlation[i, j] * scaled[j]
            total += scaled[i] * marginal[i]
        if total <= 0.0:
            break
        worst = 0.0
        for i in range(assets):
            worst = max(worst, abs(scaled[i] * marginal[i] / total / budgets[i] - 1.0))
        if worst < tolerance:
            return scaled, True
        # The minimum has variance sum(budgets) = 1: going there at once saves most sweeps.
        norm = np.sqrt(total)
        for i in range(assets):
            scaled[i] /= norm
            marginal[i] /= norm
        for i in range(assets):
            others = marginal[i] - correlation[i, i] * scaled[i]
            root = np.sqrt(others * others + 4.0 * correlation[i, i] * budgets[i])
            # Two equal forms of the positive root; each avoids the cancellation of the other.
            best = 2.0 * budgets[i] / (root + others) if others > 0.0 else (root - others) / 2.0 / correlation[i, i]
            change = best - scaled[i]
            scaled[i] = best
            for j in range(assets):
                marginal[j] += correlation[j, i] * change
    return scaled, False


def _newton(correlation: FloatArray, budgets: FloatArray, start: FloatArray) -> tuple[FloatArray, bool]:
    """Answer like `_descend`, by damped Newton steps from ``start``."""
    scaled = start.copy()
    for _ in range(MAX_NEWTON_STEPS):
        marginal = correlation @ scaled
        total = scaled @ marginal
        if not np.isfinite(total) or total <= HEDGED * (scaled @ scaled):
            return scaled, False
        if np.abs(scaled * marginal / total / budgets - 1.0).max() < TOLERANCE:
            return scaled, True
        scaled /= np.sqrt(total)
        # In relative steps: x (1 + s), so that the system stays well scaled.
        gradient = scaled * (correlation @ scaled) - budgets
        hessian = correlation * np.outer(scaled, scaled) + np.diag(budgets)
        try:
            step = -np.linalg.solve(hessian, gradient)
        except np.linalg.LinAlgError:
            return scaled, False
        length = np.abs(step).max()
        # A full step beyond -1 would leave x > 0, where the logarithm ends.
        scaled *= 1.0 + (step if length <= 0.5 else step / (1.0 + length))
    return scaled, False


def risk_contributions(covariance: FloatArray, weights: FloatArray) -> FloatArray:
    """Share of the portfolio's variance each asset carries, shape (k,), sum 1; NaN when there is no variance."""
    parts = weights * (covariance @ weights)
    total = parts.sum()
    shares: FloatArray = parts / total if total > 0 else np.full(len(weights), np.nan)
    return shares


def inverse_volatility(covariance: FloatArray) -> FloatArray:
    """Weights proportional to 1 / volatility, shape (k,), sum 1: risk parity if all correlations were equal.

    Raises
    ------
    OptimisationError
        When no asset has a finite variance above 0; the others get 0.
    """
    variance = np.diagonal(covariance)
    usable = np.isfinite(variance) & (variance > 0)
    if not usable.any():
        raise OptimisationError("no asset has a known volatility", "keep the previous targets")
    weights = np.zeros(len(variance))
    weights[usable] = 1.0 / np.sqrt(variance[usable])
    weights /= weights.sum()
    return weights
