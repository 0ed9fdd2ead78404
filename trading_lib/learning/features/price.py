"""Features of each asset's own prices. Input: `PricePanel` and `FactorPanel`. Output: name -> shape (T, n).

All are NaN in a session without a fresh bar of the asset, and until their lookback is full.
"""

from __future__ import annotations

import numpy as np

from trading_lib.domain.market.market_view import FactorPanel
from trading_lib.domain.market.prices import FloatArray, PricePanel
from trading_lib.learning.features import kernels
from trading_lib.learning.labels import known_prices

# The untrained baseline: the return of twelve months without the newest one.
MOMENTUM_12_1 = "momentum_12_1"
# Name -> sessions of the return. In exchange sessions for every asset, as the ranks of one session must speak of the
# same months.
RETURNS = {"momentum_21": 21, "momentum_63": 63, "momentum_126": 126, "momentum_252": 252}
YEAR = 252
VOLUME_DAYS, VOLUME_YEAR_HALF = 20, 120
PRICE_NAMES = (
    *RETURNS,
    MOMENTUM_12_1,
    "volatility_20",
    "volatility_60",
    "distance_sma_50",
    "distance_sma_200",
    "rsi_14",
    "atr_share_14",
    "drawdown_252",
    "volume_ratio_20_120",
)


def price_features(panel: PricePanel, factors: FactorPanel) -> dict[str, FloatArray]:
    """Compute `PRICE_NAMES`.

    Returns of 1, 3, 6 and 12 months and 12-1 momentum; annualised volatility; price over its moving averages less 1;
    relative strength in [0, 1]; average true range as a share of the price; price over its highest of 252 sessions
    less 1; log of the mean dollar volume of 20 sessions over that of 120, absent where no volume is known.
    """
    price = known_prices(panel)
    factor = dict(zip(factors.names, factors.values, strict=True))
    close = factors.total_return_close
    features = {name: _return(price, sessions) for name, sessions in RETURNS.items()}
    features |= {
        MOMENTUM_12_1: factor["Momentum_12_1"],
        "volatility_20": factor["Volatility_20"],
        "volatility_60": factor["Volatility_60"],
        "distance_sma_50": close / factor["SMA_50"] - 1.0,
        "distance_sma_200": close / factor["SMA_200"] - 1.0,
        "rsi_14": factor["RSI_14"] / 100.0,
        "atr_share_14": factor["ATR_14"] / close,
        "drawdown_252": price / kernels.trailing_maximum(price, YEAR) - 1.0,
    }
    volume = _dollar_volume(panel)
    if np.isfinite(volume).any():
        features["volume_ratio_20_120"] = _volume_ratio(volume)
    return {name: np.where(panel.fresh, values, np.nan) for name, values in features.items()}


def _return(price: FloatArray, sessions: int) -> FloatArray:
    result = np.full(price.shape, np.nan)
    result[sessions:] = price[sessions:] / price[:-sessions] - 1.0
    return result


def _dollar_volume(panel: PricePanel) -> FloatArray:
    """Dollars traded in each session, which a split does not change; NaN where not known or without a fresh bar."""
    dollars = panel.volume * panel.close
    return np.where(panel.fresh & (dollars > 0), dollars, np.nan)


def _volume_ratio(volume: FloatArray) -> FloatArray:
    recent = kernels.trailing_mean(volume, VOLUME_DAYS, VOLUME_DAYS // 2)
    usual = kernels.trailing_mean(volume, VOLUME_YEAR_HALF, VOLUME_YEAR_HALF // 2)
    return np.log(recent / usual)
