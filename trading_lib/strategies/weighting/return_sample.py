"""Newest returns of a few assets and their covariance. Input: a `MarketView`. Output: `ReturnSample`.

The plain sample covariance: with half a year of sessions and a handful of selected assets it is well conditioned, and
risk parity needs no inverse of it, so shrinkage would buy little and cost an assumption.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trading_lib.domain.kernels import compiled
from trading_lib.domain.market.market_view import MarketView
from trading_lib.domain.market.prices import FloatArray

# Below this a daily variance is the rounding dust of a price that doesn't move.
NO_VARIANCE = 1e-16


@dataclass(frozen=True, slots=True)
class ReturnSample:
    """Returns of k assets over w common sessions.

    Attributes
    ----------
    columns
        Shape (k,): the usable ones of the assets asked for.
    returns
        Shape (w, k): simple returns without NaN; a missing one is replaced by the asset's mean.
    covariance
        Shape (k, k): sample covariance of daily returns, positive semi-definite. The diagonal is each asset's variance
        over its own returns; a gap makes a correlation smaller, never larger.
    left_out
        Asset -> why it is not usable.
    """

    columns: NDArray[np.int64]
    returns: FloatArray
    covariance: FloatArray
    left_out: dict[int, str]


def sample_returns(view: MarketView, columns: NDArray[np.int64], window: int, coverage: float) -> ReturnSample:
    """Collect the newest ``window`` common sessions of ``columns``.

    Parameters
    ----------
    columns
        Shape (m,): positions on the asset axis.
    coverage
        Share of the sessions an asset must have a return of; with fewer, or without variance, it is left out.
    """
    raw = _align(view.common_returns, view.common_lag, columns, window)
    finite = np.isfinite(raw)
    count = finite.sum(axis=0)
    total = np.where(finite, raw, 0.0).sum(axis=0)
    deviations = np.where(finite, raw - total / np.maximum(count, 1), 0.0)
    variance = (deviations**2).sum(axis=0) / np.maximum(count - 1, 1)
    needed = max(math.ceil(coverage * window), 2)
    usable = (count >= needed) & (variance > NO_VARIANCE)
    left_out = {
        int(columns[k]): f"only {count[k]} of the {needed} returns its risk needs"
        if count[k] < needed
        else f"no variance in {count[k]} sessions, so no risk to share"
        for k in np.flatnonzero(~usable)
    }
    deviations = deviations[:, usable]
    # Gaps count as no deviation; the scale puts each asset's own variance back, and a product with itself stays
    # positive semi-definite, which pairwise estimates do not.
    scaled = deviations * np.sqrt((window - 1) / (count[usable] - 1))
    return ReturnSample(
        columns=columns[usable],
        returns=deviations + (total / np.maximum(count, 1))[usable],
        covariance=np.ascontiguousarray(scaled.T @ scaled / (window - 1)),
        left_out=left_out,
    )


@compiled
def _align(log_returns: FloatArray, lag: NDArray[np.int64], columns: NDArray[np.int64], window: int) -> FloatArray:
    """Collect simple returns by session, shape (window, m), NaN where there is none; see `PricePanel.common_return`."""
    rows = log_returns.shape[0]
    result = np.full((window, columns.shape[0]), np.nan)
    newest = 0
    for column in columns:
        newest = max(newest, lag[column])
    for k in range(columns.shape[0]):
        column = columns[k]
        end = rows - 1 - newest + lag[column]
        for back in range(min(window, end + 1)):
            value = log_returns[end - back, column]
            if np.isfinite(value):
                result[window - 1 - back, k] = np.expm1(value)
    return result
