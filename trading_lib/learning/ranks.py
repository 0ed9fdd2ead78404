"""Ranks within sessions, as labels, information coefficients and the ensemble use them."""

from __future__ import annotations

import numpy as np

from trading_lib.domain.market.prices import FloatArray


def session_ranks(values: FloatArray) -> FloatArray:
    """Rank every session's values among themselves.

    Parameters
    ----------
    values
        Shape (S, n); NaN is no value and gets no rank.

    Returns
    -------
    Shape (S, n): evenly spaced in [-0.5, 0.5] with ties averaged, 0 for a value that is alone; NaN stays NaN.
    """
    sessions, assets = values.shape
    missing = np.isnan(values)
    order = np.argsort(values, axis=1, kind="stable")
    ordered = np.take_along_axis(values, order, axis=1)
    position = np.broadcast_to(np.arange(assets), (sessions, assets))
    begins = np.ones((sessions, assets), dtype=bool)
    begins[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    ends = np.ones((sessions, assets), dtype=bool)
    ends[:, :-1] = begins[:, 1:]
    first = np.maximum.accumulate(np.where(begins, position, 0), axis=1)
    last = np.minimum.accumulate(np.where(ends, position, assets)[:, ::-1], axis=1)[:, ::-1]
    ranks = np.empty((sessions, assets))
    np.put_along_axis(ranks, order, (first + last) / 2, axis=1)
    present = assets - missing.sum(axis=1, keepdims=True)
    spaced = np.where(present > 1, ranks / np.maximum(present - 1, 1) - 0.5, 0.0)
    return np.where(missing, np.nan, spaced)
