"""One monthly rebalance by momentum (docs/specification.md#rotation). Output: `MonthlyRebalance`.

Leading assets above their SMA_200 are selected; trailing ones are sold, and so are leaders not above that average; the
middle keeps its weight, and so does what has no rank. The selected share what is left. In defence all capital goes to
the defence assets. The move there is bounded.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trading_lib.domain.kernels import compiled
from trading_lib.domain.market.market_view import MarketView
from trading_lib.domain.market.prices import BoolArray, FloatArray
from trading_lib.strategies.config import MomentumConfig
from trading_lib.strategies.rotation.momentum import MomentumGroups, rank_by_momentum
from trading_lib.strategies.rotation.turnover_bound import BoundedRebalance, bound_rationale, bounded_weights
from trading_lib.strategies.weighting.weighting import Shares, Weighting


@dataclass(frozen=True, slots=True)
class MonthlyRebalance:
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
    move: BoundedRebalance


@dataclass(frozen=True, slots=True)
class MonthPlan:
    """The part of a rebalance that depends on market data alone; see `MonthlyRebalance`.

    Attributes
    ----------
    dense_shares
        Shape (n,): ``shares`` by asset, 0 for those without one.
    """

    groups: MomentumGroups
    defence: BoolArray
    shares: Shares
    stays: bool
    dense_shares: FloatArray


def plan_month(view: MarketView, config: MomentumConfig, weighting: Weighting) -> MonthPlan:
    """Rank, choose and weigh once for all runs that share the view and the configuration."""
    key = ("month_plan", type(weighting), config)
    cached: MonthPlan | None = view.remembered.get(key)
    if cached is None:
        cached = view.remembered[key] = _plan(view, config, weighting)
    return cached


def _plan(view: MarketView, config: MomentumConfig, weighting: Weighting) -> MonthPlan:
    groups = rank_by_momentum(view, config)
    defence = _existing(view, config.defence_symbols)
    chosen = np.flatnonzero(defence if groups.defensive else groups.selected)
    shares = weighting.share(view, chosen) if len(chosen) else Shares(chosen, np.empty(0), "nothing to weigh")
    # Without any known risk there is nothing to weigh by (docs/specification.md#unusable-answers); a defence must not
    # wait, though.
    stays = len(chosen) > 0 and not len(shares.columns) and not groups.defensive
    dense = np.zeros(len(view.universe))
    dense[shares.columns] = shares.shares
    return MonthPlan(groups, defence, shares, stays, dense)


def rebalance_month(
    view: MarketView, present: FloatArray, leaving_defence: bool, config: MomentumConfig, weighting: Weighting
) -> MonthlyRebalance:
    """Rebalance.

    Parameters
    ----------
    present
        Shape (n,): the last target, moved by the returns since.
    leaving_defence
        Whether the sleeve was in defence and still holds what it bought for it. Such assets have no rank to thank for
        their weight, so the middle group does not keep them.
    """
    plan = plan_month(view, config, weighting)
    bounds = (config.monthly_turnover, config.monthly_cost)
    weights, target, room, share, turnover, cost = month_weights(
        present,
        plan.groups.kept,
        plan.defence,
        plan.dense_shares,
        plan.stays,
        plan.groups.defensive,
        leaving_defence,
        view.universe.cost_rates,
        *bounds,
    )
    move = BoundedRebalance(weights, share, turnover, cost, bound_rationale(share, turnover, cost, *bounds))
    return MonthlyRebalance(plan.groups, plan.defence, plan.shares, room, plan.stays, present, target, move)


@compiled
def month_weights(
    present: FloatArray,
    kept: BoolArray,
    defence: BoolArray,
    shares: FloatArray,
    stays: bool,
    defensive: bool,
    leaving_defence: bool,
    cost_rates: FloatArray,
    max_turnover: float,
    max_cost: float,
) -> tuple[FloatArray, FloatArray, float, float, float, float]:
    """Weights, unbounded target, room for the selected assets, share of the way, its turnover and its cost."""
    assets = present.shape[0]
    target, room = np.zeros(assets), 0.0
    if stays:
        target[:] = present
    else:
        total = 0.0
        for i in range(assets):
            if not defensive and kept[i] and not (defence[i] and leaving_defence):
                target[i] = present[i]
                total += present[i]
        target /= max(total, 1.0)
        room = 1.0 - total / max(total, 1.0)
        for i in range(assets):
            target[i] += room * shares[i]
    weights, share, turnover, cost = bounded_weights(present, target, cost_rates, max_turnover, max_cost)
    return weights, target, room, share, turnover, cost


@compiled
def still_leaving(leaving_defence: bool, defensive: bool, stays: bool, share: float) -> bool:
    """Whether a sleeve has yet to sell what it bought for a defence that is over."""
    return leaving_defence and not defensive and (stays or share < 1.0)


def _existing(view: MarketView, symbols: tuple[str, ...]) -> BoolArray:
    """Shape (n,): those of ``symbols`` that are in the universe, not retired from it, and have had a price."""
    assets = np.zeros(len(view.universe), dtype=np.bool_)
    for symbol in symbols:
        column = view.universe.positions.get(symbol)
        if column is not None and not view.universe.retired[column]:
            assets[column] = np.isfinite(view.close[column])
    return assets
