"""Which features the next training leaves out: those of little importance in two trainings in a row."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from trading_lib.domain.market.prices import FloatArray
from trading_lib.learning.config import LifecycleConfig

# So many of the most important stay in any case: of thirty features most are below 5 %, and may well matter together.
FEWEST_FEATURES = 8


def importance_shares(features: tuple[str, ...], contributions: FloatArray) -> dict[str, float]:
    """Share of each feature in the mean absolute contributions; all 0 where nothing contributes.

    Parameters
    ----------
    contributions
        Shape (R, F + 1): `Model.contributions`, whose last column, the base value, belongs to no feature.
    """
    sizes = np.abs(contributions[:, :-1]).mean(axis=0) if len(contributions) else np.zeros(len(features))
    total = float(sizes.sum())
    shares = sizes / total if total > 0 else np.zeros(len(features))
    return dict(zip(features, shares.tolist(), strict=True))


def weak_features(
    earlier: Mapping[str, float], latest: Mapping[str, float], config: LifecycleConfig
) -> tuple[str, ...]:
    """Features below `least_share` in both of two trainings, in the latest's order.

    Parameters
    ----------
    earlier, latest
        Feature -> share. What the earlier training did not have has been weak once at the most.
    """
    strongest = sorted(latest, key=lambda name: (-latest[name], name))[:FEWEST_FEATURES]
    return tuple(
        name
        for name, share in latest.items()
        if share < config.least_share
        and earlier.get(name, config.least_share) < config.least_share
        and name not in strongest
    )
