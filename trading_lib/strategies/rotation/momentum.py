"""Cross-sectional 12-1 momentum: top and bottom groups, and whether the top group itself is falling.

See docs/specification.md#cross-sectional-momentum; after Asness, Moskowitz, Pedersen, Value and Momentum
Everywhere (2013). Input: a `MarketView`. Output: `MomentumGroups`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trading_lib.domain.kernels import compiled
from trading_lib.domain.market.market_view import MarketView
from trading_lib.domain.market.prices import BoolArray, FloatArray
from trading_lib.strategies.config import MomentumConfig

# Ranks are ratios like 7/10, the bounds differences like 1 - 0.3: equal ones may differ in the last bit.
DUST = 1e-12


@dataclass(frozen=True, slots=True)
class MomentumGroups:
    """One session's ranking, n assets in universe order.

    Attributes
    ----------
    momentum, rank
        Shape (n,): 12-1 momentum and its percentile rank; NaN without a complete history or a new bar, and for retired
        assets. Such an asset is in no group.
    top, bottom
        Shape (n,): rank above ``1 - top_share`` and below ``bottom_share``.
    selected
        Shape (n,): top, and its price above its SMA_200.
    falling
        Shape (n,): top, and its price below its SMA_200; where that average is unknown, neither.
    kept
        Shape (n,): keeps its weight, for its rank is in the middle or unknown; a retired asset does not.
    defensive
        Whether more than the configured share of the top group is falling.
    """

    momentum: FloatArray
    rank: FloatArray
    top: BoolArray
    bottom: BoolArray
    selected: BoolArray
    falling: BoolArray
    kept: BoolArray
    defensive: bool


def rank_by_momentum(view: MarketView, config: MomentumConfig) -> MomentumGroups:
    """Rank the assets that have a value and form the groups.

    Where all momenta are equal nobody leads, so nothing is bought or sold; a single asset ranks 1 and leads.
    """
    retired = view.universe.retired
    momentum = np.where(retired, np.nan, view.factors["Momentum_12_1"])
    average = view.factors["SMA_200"]
    rank = cross_sectional_rank(momentum)
    top = rank > 1.0 - config.top_share + DUST
    bottom = rank < config.bottom_share - DUST
    falling = top & (view.total_return_close < average)
    count = int((top & np.isfinite(average)).sum())
    return MomentumGroups(
        momentum=momentum,
        rank=rank,
        top=top,
        bottom=bottom,
        selected=top & (view.total_return_close > average),
        falling=falling,
        kept=~(top | bottom | retired),
        defensive=int(falling.sum()) > config.defence_share * count,
    )


@compiled
def cross_sectional_rank(values: FloatArray) -> FloatArray:
    """Percentile rank among the assets that have a value: average ties, in (0, 1].

    Parameters
    ----------
    values
        Shape (n,); NaN and infinity have no rank (NaN).
    """
    result = np.full(values.shape[0], np.nan)
    finite = np.flatnonzero(np.isfinite(values))
    order = finite[np.argsort(values[finite])]
    first = 0
    while first < order.shape[0]:
        last = first
        while last + 1 < order.shape[0] and values[order[last + 1]] == values[order[first]]:
            last += 1
        # Places first + 1 to last + 1 are shared.
        result[order[first : last + 1]] = (first + last + 2) / 2.0 / order.shape[0]
        first = last + 1
    return result
