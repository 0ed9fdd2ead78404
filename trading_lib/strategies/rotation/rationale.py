"""Rationale for a month's rebalance, from the numbers it was made of; prices in raw dollars."""

from __future__ import annotations

import math

import numpy as np

from trading_lib.domain.decision.sleeves import Rationale
from trading_lib.domain.market.market_view import MarketView
from trading_lib.domain.market.prices import FloatArray
from trading_lib.strategies.config import MomentumConfig
from trading_lib.strategies.rotation.rebalance import MonthlyRebalance
from trading_lib.strategies.weighting.weighting import Shares


def describe_waiting(view: MarketView, weights: FloatArray) -> Rationale:
    """Say that the target stands until the month's last session."""
    rationale = {"": "waits for the month's last session" + ("" if weights.any() else ", in cash")}
    for i in np.flatnonzero(weights):
        rationale[view.universe.symbols[i]] = f"keeps {weights[i]:.1%} until the month's last session"
    return rationale


def describe_month(view: MarketView, config: MomentumConfig, month: MonthlyRebalance) -> Rationale:
    """Explain each ranked or held asset's weight, and what bounded the sleeve's move."""
    rationale = {"": _whole(view, config, month)}
    shares = dict(zip(month.shares.columns.tolist(), month.shares.shares.tolist(), strict=True))
    ranked = np.isfinite(month.groups.rank)
    for i in np.flatnonzero(ranked | (month.present > 0) | (month.wanted > 0)).tolist():
        text = f"{_standing(view, month, i)}: {_verdict(view, config, month, i, shares)}"
        if month.move.bound and month.wanted[i] != month.present[i]:
            text += f", of which {month.move.share:.0%} from {month.present[i]:.1%} -> {month.move.weights[i]:.1%}"
        rationale[view.universe.symbols[i]] = text
    return rationale


def name_left_out(view: MarketView, shares: Shares) -> str:
    """Name the assets that could not be weighed and why."""
    return "; ".join(f"{view.universe.symbols[i]} has {why}" for i, why in shares.left_out.items())


def _whole(view: MarketView, config: MomentumConfig, month: MonthlyRebalance) -> str:
    groups, shares, move = month.groups, month.shares, month.move
    ranked, leaders = int(np.isfinite(groups.rank).sum()), int(groups.top.sum())
    text = f"month end: {leaders} of {ranked} ranked assets lead, {int(groups.falling.sum())} of them below SMA_200"
    if not ranked:
        text = "month end: no asset has twelve months of history and a new bar"
    if groups.defensive:
        text += f", more than {config.defence_share:.0%}: defence"
        if not len(shares.columns):
            text += f", in cash, for none of {', '.join(config.defence_symbols) or 'nothing'} can be weighed"
    if shares.failure:
        text += f"; {shares.method} because {shares.failure}"
    if shares.left_out:
        text += f"; {name_left_out(view, shares)}"
    if month.stays:
        text += "; the previous targets stay"
    text += f"; turnover {move.turnover:.1%}, estimated cost {move.cost:.2%}"
    return f"{text}; {move.bound}, so {move.share:.0%} of the way" if move.bound else text


def _standing(view: MarketView, month: MonthlyRebalance, i: int) -> str:
    if view.universe.retired[i]:
        return "retired from the universe"
    rank, average = month.groups.rank[i], view.factors["SMA_200"][i]
    if not math.isfinite(rank):
        return "no rank without twelve months of history and a new bar"
    text = f"rank {rank:.2f} (12-1 momentum {month.groups.momentum[i]:+.1%})"
    if not math.isfinite(average):
        return f"{text}, SMA_200 unknown"
    sign = ">" if view.total_return_close[i] > average else "<" if view.total_return_close[i] < average else "="
    return f"{text}, price {view.close[i]:.2f} {sign} SMA_200 {average / view.price_factor[i]:.2f}"


def _verdict(
    view: MarketView, config: MomentumConfig, month: MonthlyRebalance, i: int, shares: dict[int, float]
) -> str:
    groups, target = month.groups, f"{month.wanted[i]:.1%}"
    if month.stays:
        return f"keeps {target}"
    if i in month.shares.left_out:
        return f"left out, {month.shares.left_out[i]}"
    if view.universe.retired[i]:
        return "sold"
    if i in shares:
        part = "defence" if groups.defensive else "selected"
        return f"{part}, {month.shares.method} {shares[i]:.1%} of {month.room:.1%} -> {target}"
    if groups.defensive:
        return "sold for the defence" if month.present[i] > 0 else "not held in the defence"
    if groups.bottom[i]:
        return f"rank below {config.bottom_share:.2f} is avoided"
    if groups.top[i]:
        return "leads, but is not above its average"
    if month.wanted[i] < month.present[i] and month.defence[i]:
        return "bought as a defence, which has ended"
    return f"keeps {target}" if month.present[i] > 0 else "not bought"
