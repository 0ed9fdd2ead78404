"""Where an asset stands among the others of its session. Input: `PricePanel` and price features."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from trading_lib.domain.market.prices import FloatArray, PricePanel
from trading_lib.learning.features import kernels
from trading_lib.learning.features.price import MOMENTUM_12_1
from trading_lib.learning.ranks import session_ranks

MARKET = "SPY"
WINDOW = 60
# A standard score among fewer says nothing.
LEAST_ASSETS = 3
CROSS_SECTION_NAMES = (
    "momentum_12_1_rank",
    "momentum_63_score",
    "volatility_60_rank",
    "beta_60",
    "correlation_60",
    "mean_correlation_60",
)


def cross_section_features(panel: PricePanel, price: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    """Compute `CROSS_SECTION_NAMES`, each of shape (T, n).

    Ranks are evenly spaced in [-0.5, 0.5] and scores are standard scores, both within the session. Beta and
    correlation are with SPY over 60 common sessions, absent without SPY; the mean correlation is with all others.
    """
    features = {
        "momentum_12_1_rank": session_ranks(price[MOMENTUM_12_1]),
        "momentum_63_score": kernels.standardise(price["momentum_63"], LEAST_ASSETS),
        "volatility_60_rank": session_ranks(price["volatility_60"]),
    }
    returns, lag = panel.common_return, panel.common_lag
    if MARKET in panel.symbols:
        beta, correlation = kernels.against_market(returns, lag, panel.symbols.index(MARKET), WINDOW)
        features |= {"beta_60": beta, "correlation_60": correlation}
    if len(panel.symbols) > 1:
        features["mean_correlation_60"] = kernels.mean_correlation(returns, lag, WINDOW)
    return {name: np.where(panel.fresh, values, np.nan) for name, values in features.items()}
