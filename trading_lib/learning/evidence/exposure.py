"""Is a model more than one of its features? Exposure to single features, and what is left without momentum."""

from __future__ import annotations

import numpy as np

from trading_lib.domain.market.prices import FloatArray
from trading_lib.learning.dataset import Dataset
from trading_lib.learning.evidence.information import information_coefficients, mean_known
from trading_lib.learning.ranks import session_ranks

# What momentum leaves of scores below this is rounding dust.
DUST = 1e-9


def pooled_scores(paths: FloatArray) -> FloatArray:
    """Mean rank over the paths, shape (P, S, n) -> (S, n); scores of different models have no common scale."""
    ranks = np.stack([session_ranks(path) for path in paths])
    known = np.isfinite(ranks)
    count = known.sum(axis=0)
    return np.where(count > 0, np.where(known, ranks, 0.0).sum(axis=0) / np.maximum(count, 1), np.nan)


def feature_exposure(scores: FloatArray, data: Dataset, minimum_assets: int) -> tuple[str, float]:
    """Feature that the scores, shape (S, n), resemble most, and how much.

    Returns
    -------
    tuple
        Its name, and the mean over the sessions of the absolute rank correlation with it; chance alone shows about
        .21 among fifteen assets. A feature that all assets share, as of the economy, has none. ("", 0.0) where no
        feature has any.
    """
    strongest = ("", 0.0)
    for column, name in enumerate(data.features):
        values = data.matrix(data.x[:, column])
        exposure = mean_known(np.abs(information_coefficients(values, scores, minimum_assets)))
        if exposure > strongest[1]:
            strongest = (name, exposure)
    return strongest


def neutral_scores(scores: FloatArray, momentum: FloatArray) -> FloatArray:
    """Residuals of the scores' ranks on momentum's within each session, shape (S, n); NaN where either is missing."""
    both = np.isfinite(scores) & np.isfinite(momentum)
    own = session_ranks(np.where(both, scores, np.nan))
    other = session_ranks(np.where(both, momentum, np.nan))
    product = np.where(both, own * other, 0.0).sum(axis=1)
    square = np.where(both, other * other, 0.0).sum(axis=1)
    slope = product / np.where(square > 0.0, square, 1.0)
    left = own - slope[:, None] * other
    return np.where(np.abs(left) < DUST, 0.0, left)


def neutral_ic(scores: FloatArray, momentum: FloatArray, data: Dataset, minimum_assets: int) -> float:
    """Mean information coefficient of what momentum does not explain of the scores, all of shape (S, n)."""
    return mean_known(information_coefficients(neutral_scores(scores, momentum), data.matrix(data.y), minimum_assets))
