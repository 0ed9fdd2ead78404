"""What models predict: the forward total return's rank within its session. Input: `PricePanel`. Output: `Labels`."""

from __future__ import annotations

import numpy as np

from trading_lib.domain.errors import InputError
from trading_lib.domain.market.prices import FloatArray, PricePanel
from trading_lib.learning.dataset import Labels
from trading_lib.learning.ranks import session_ranks

LEAST_ASSETS = 8


def forward_labels(
    panel: PricePanel, horizon: int, last: int | None = None, minimum_assets: int = LEAST_ASSETS
) -> Labels:
    """Label every session and asset with the rank of its return over the next ``horizon`` sessions.

    A label needs a price of the session itself at both ends: a return from or to a price carried forward is part of
    another one.

    Parameters
    ----------
    horizon
        Sessions of the forward return.
    last
        Row of the panel that is the cut: no label ends after it. None is the panel's last row.
    minimum_assets
        A session in which fewer assets have a forward return has no ranks; the returns stay.

    Raises
    ------
    InputError
        When the horizon is no session long, or the cut is not a row of the panel.
    """
    sessions = len(panel.sessions)
    cut = sessions - 1 if last is None else last
    if horizon < 1:
        raise InputError(f"a label over {horizon} sessions has no return", "set label.horizon to 1 or more")
    if not 0 <= cut < sessions:
        raise InputError(
            f"the cut at row {cut} is outside the {sessions} sessions from {panel.sessions[0]} to {panel.sessions[-1]}",
            "choose a last session that there are prices of",
        )
    price = np.where(panel.fresh, known_prices(panel), np.nan)
    forward = np.full(price.shape, np.nan)
    ends = cut + 1 - horizon
    if ends > 0:
        forward[:ends] = price[horizon : cut + 1] / price[:ends] - 1.0
    enough = np.isfinite(forward).sum(axis=1, keepdims=True) >= minimum_assets
    return Labels(np.where(enough, session_ranks(forward), np.nan), forward, horizon)


def known_prices(panel: PricePanel) -> FloatArray:
    """Newest known total-return price at each session's decision, shape (T, n); NaN before the first."""
    prices = np.full(panel.fresh.shape, np.nan)
    for asset, series in enumerate(panel.native):
        has = series.last_known >= 0
        prices[has, asset] = series.close[series.last_known[has]]
    return prices
