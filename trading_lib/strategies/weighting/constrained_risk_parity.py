"""Risk parity under caps or another risk measure, by riskfolio-lib. Input: returns. Output: weights.

The plain problem (variance, no caps) has a kernel of its own in `risk_parity`, hundreds of times faster.
"""

from __future__ import annotations

import contextlib
import io
import warnings
from typing import Any

import numpy as np
import pandas as pd

from trading_lib.domain.errors import OptimisationError
from trading_lib.domain.market.prices import FloatArray
from trading_lib.strategies.config import RiskMeasure

# Tolerance of a conic solver's weights.
SUM_TOLERANCE = 1e-6
REMEDY = "inverse volatility is used instead"


def constrained_risk_parity(
    returns: FloatArray,
    covariance: FloatArray,
    measure: RiskMeasure,
    cap: float = 1.0,
    tail: float = 0.05,
) -> FloatArray:
    """Long-only weights with equal contributions to ``measure``, as far as the cap allows, shape (k,).

    Where the assets together cannot fill the sleeve (``k * cap <= 1``), each gets its cap and the rest stays cash;
    otherwise the weights add up to 1. One asset needs no solver.

    Parameters
    ----------
    returns
        Shape (w, k): simple returns, no NaN.
    covariance
        Shape (k, k), of the same returns.
    cap
        Largest weight of one asset, in (0, 1]; 1 means none.
    tail
        Share of the worst outcomes that the tail measures average.

    Raises
    ------
    OptimisationError
        When the solver fails, or its weights are NaN, negative, above the cap or don't add up to 1.
    """
    assets = len(covariance)
    if assets == 0:
        raise OptimisationError("there is no asset to weight", "keep the previous targets")
    if assets * cap <= 1.0 + SUM_TOLERANCE:
        return np.full(assets, min(cap, 1.0 / assets))
    weights = _solve(returns, covariance, measure, cap, tail)
    return checked_weights(weights, assets, cap)


def checked_weights(solution: Any, assets: int, cap: float) -> FloatArray:
    """Return a solver's weights with the constraints met exactly, or raise OptimisationError.

    Deviations within the solver's precision are corrected; anything larger is an error.
    """
    if solution is None:
        raise OptimisationError("riskfolio-lib found no solution", REMEDY)
    weights = np.asarray(solution, dtype=np.float64).reshape(-1)
    if weights.shape != (assets,) or not np.isfinite(weights).all():
        raise OptimisationError(f"riskfolio-lib answered {assets} assets with {weights}", REMEDY)
    if weights.min() < -SUM_TOLERANCE:
        raise OptimisationError(f"riskfolio-lib answered with a negative weight, {weights.min():.6f}", REMEDY)
    if abs(weights.sum() - 1.0) > SUM_TOLERANCE:
        raise OptimisationError(f"riskfolio-lib's weights add up to {weights.sum():.6f}, not 1", REMEDY)
    if weights.max() > cap + SUM_TOLERANCE:
        raise OptimisationError(f"riskfolio-lib's weight {weights.max():.6f} is above the cap {cap:g}", REMEDY)
    within: FloatArray = np.clip(weights, 0.0, cap)
    within /= max(float(within.sum()), 1.0)
    return within


def _solve(returns: FloatArray, covariance: FloatArray, measure: RiskMeasure, cap: float, tail: float) -> Any:
    # Imported here: it takes seconds, and only books that ask for another risk measure or for caps pay them.
    import riskfolio

    names = [str(column) for column in range(returns.shape[1])]
    portfolio = riskfolio.Portfolio(returns=pd.DataFrame(returns, columns=names), alpha=tail)
    portfolio.mu = pd.DataFrame([returns.mean(axis=0)], columns=names)
    portfolio.cov = pd.DataFrame(covariance, index=names, columns=names)
    if cap < 1.0:
        portfolio.ainequality = np.eye(len(names))
        portfolio.binequality = np.full((len(names), 1), cap)
    # It prints where it fails, and cvxpy warns of what the checks of the answer find anyway.
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        try:
            solution = portfolio.rp_optimization(model="Classic", rm=measure.value, rf=0, b=None, hist=True)
        except Exception as error:  # solvers raise types of their own
            text = " ".join(str(error).split())
            raise OptimisationError(f"riskfolio-lib failed: {type(error).__name__}: {text}", REMEDY) from error
    return None if solution is None else solution["weights"].to_numpy()
