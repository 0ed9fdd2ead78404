"""One monthly rebalance by momentum (technical design 4.5.1 and 4.5.3). Output: `MonthlyAllocation`.

Leading assets above their SMA_200 are selected; trailing ones are sold, and so are leaders not above that average; the
middle keeps its weight, and so does what has no rank. The selected share what is left. In defence all capital goes to
the defence assets. The move there is bounded.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trading_lib.domain.market_view import MarketView
from trading_lib.domain.prices import BoolArray, FloatArray
from trading_lib.strategies.bounded_move import BoundedMove, move_within
from trading_lib.strategies.config import MomentumConfig
from trading_lib.strategies.momentum import MomentumGroups, rank_by_momentum
from trading_lib.strategies.weighing import Shares, Weighing


@dataclass(frozen=True, slots=True)
class MonthlyAllocation:
    """One rebalance, n assets in universe order; weights are shares of the sleeve's capital.

    Attributes
    ----------
    defence
        Shape (n,): the configured defence assets that exist.
    shares
        How the chosen assets (the selected, or in defence the defence assets) divide ``room``.
    room
        Share of the capital that is theirs.
    stays
        Whether no chosen asset could be weighed, so that the previous targets stay.
    present, wanted
        Shape (n,): before, and as it would be if nothing bounded the move.
    move
        How far it went from the one to the other.
    """

    groups: MomentumGroups
    defence: BoolArray
    shares: Shares
    room: float
    stays: bool
    present: FloatArray
    wanted: FloatArray
    move: BoundedMove


def allocate_month(
    view: MarketView, present: FloatArray, leaving_defence: bool, config: MomentumConfig, weighing: Weighing
) -> MonthlyAllocation:
    """Rebalance.

    Parameters
    ----------
    present
        Shape (n,): the last target, moved by the returns since.
    leaving_defence
        Whether the sleeve was in defence and still holds what it bought for it. Such assets have no rank to thank for
        their weight, so the middle group does not keep them.
    """
    groups = rank_by_momentum(view, config)
    defence = _existing(view, config.defence_symbols)
    chosen = np.flatnonzero(defence if groups.defensive else groups.selected)
    shares = weighing.share(view, chosen) if len(chosen) else Shares(chosen, np.empty(0), "nothing to weigh")
    # Without any known risk there is nothing to weigh by (SPEC section 7); a defence, though, must not wait.
    stays = len(chosen) > 0 and not len(shares.columns) and not groups.defensive
    wanted = np.zeros(len(present))
    if stays:
        wanted[:] = present
    elif not groups.defensive:
        kept = groups.kept & ~(defence & leaving_defence)
        wanted[kept] = present[kept]
        wanted /= max(float(wanted.sum()), 1.0)
    room = 0.0 if stays else 1.0 - float(wanted.sum())
    wanted[shares.columns] += room * shares.shares
    move = move_within(present, wanted, view.universe.cost_rates, config.monthly_turnover, config.monthly_cost)
    return MonthlyAllocation(groups, defence, shares, room, stays, present, wanted, move)


def _existing(view: MarketView, symbols: tuple[str, ...]) -> BoolArray:
    """Shape (n,): those of ``symbols`` that are in the universe, not retired from it, and have had a price."""
    assets = np.zeros(len(view.universe), dtype=np.bool_)
    for symbol in symbols:
        column = view.universe.positions.get(symbol)
        if column is not None and not view.universe.retired[column]:
            assets[column] = np.isfinite(view.close[column])
    return assets
