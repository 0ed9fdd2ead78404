"""The rotation sleeve and plain cross-sectional momentum: monthly, bounded in turnover and cost, with a defence.

See docs/specification.md#rotation (after Keller, Butler, Kipnis, Momentum and Markowitz, 2015). The two differ in how
the selected assets share the capital. On sessions other than a month's last the target stands as it is, the first
sessions of a book included: it waits for its first month end in cash.
"""

from __future__ import annotations

from functools import partial

from trading_lib.domain.decision.sleeves import DEFENCE_ENDS, SleeveEvent, SleeveTarget, SleeveView
from trading_lib.domain.market.market_view import MarketView
from trading_lib.strategies.config import MomentumConfig, RotationConfig
from trading_lib.strategies.loop_form import MONTHLY_MOVE, LoopForm, MonthlyChoice, SessionPlan
from trading_lib.strategies.rotation.rationale import describe_month, describe_waiting, name_left_out
from trading_lib.strategies.rotation.rebalance import MonthlyRebalance, plan_month, rebalance_month, still_leaving
from trading_lib.strategies.weighting.weighting import EqualWeights, RiskParity, Shares, Weighting

# The sleeve's memory: it is in defence; it still holds assets of a defence that has ended.
IN_DEFENCE = "in_defence"
LEAVING_DEFENCE = "leaving_defence"


class MonthlyMomentum:
    """Base of both strategies.

    Parameters
    ----------
    weighting
        How the selected assets share the capital.
    """

    def __init__(self, config: MomentumConfig, weighting: Weighting) -> None:
        self.config = config
        self.weighting = weighting

    def loop_form(self) -> LoopForm:
        """Move at month ends towards the plan, within two bounds; the sleeve remembers its defence."""
        bounds = self.config.monthly_turnover, self.config.monthly_cost
        return LoopForm(MONTHLY_MOVE, bounds, lambda universe: (IN_DEFENCE, LEAVING_DEFENCE), self._plan, monthly=True)

    def _plan(self, view: MarketView) -> SessionPlan:
        month = plan_month(view, self.config, self.weighting)
        shares, groups = month.shares, month.groups
        event = bool(shares.failure) or _nothing_weighed(shares)
        choice = MonthlyChoice(groups.kept, month.defence, month.stays, groups.defensive, event)
        return SessionPlan(month.dense_shares, choice)

    def target(self, view: MarketView, sleeve: SleeveView) -> SleeveTarget:
        """Rebalance on a month's last session, otherwise repeat the last target."""
        if not view.month_end:
            return SleeveTarget(sleeve.wanted, partial(describe_waiting, view, sleeve.wanted), sleeve.memory)
        was_defensive = bool(sleeve.memory.get(IN_DEFENCE))
        leaving = was_defensive or bool(sleeve.memory.get(LEAVING_DEFENCE))
        month = rebalance_month(view, sleeve.wanted, leaving, self.config, self.weighting)
        defensive = month.groups.defensive
        return SleeveTarget(
            weights=month.move.weights,
            rationale=partial(describe_month, view, self.config, month),
            memory={
                IN_DEFENCE: float(defensive),
                LEAVING_DEFENCE: float(still_leaving(leaving, defensive, month.stays, month.move.share)),
            },
            events=_events(view, self.config, month, was_defensive),
        )


class Rotation(MonthlyMomentum):
    """Risk parity on the selected assets (docs/specification.md#rotation)."""

    def __init__(self, config: RotationConfig) -> None:
        super().__init__(config, RiskParity(config))


class CrossSectionalMomentum(MonthlyMomentum):
    """Equal weights on the selected assets (docs/specification.md#cross-sectional-momentum)."""

    def __init__(self, config: MomentumConfig) -> None:
        super().__init__(config, EqualWeights())


def _nothing_weighed(shares: Shares) -> bool:
    """Whether no chosen asset has a known risk."""
    return bool(shares.left_out) and not len(shares.columns)


def _events(
    view: MarketView, config: MomentumConfig, month: MonthlyRebalance, was_defensive: bool
) -> tuple[SleeveEvent, ...]:
    events = []
    groups, shares = month.groups, month.shares
    if groups.defensive != was_defensive:
        falling = f"{int(groups.falling.sum())} of {int(groups.top.sum())} leaders closed below their SMA_200"
        if groups.defensive:
            into = " and ".join(view.universe.symbols[i] for i in shares.columns) or "cash"
            reason = f"defence begins: {falling}, more than {config.defence_share:.0%}; into {into}"
        else:
            reason = f"{DEFENCE_ENDS}: {falling}, no more than {config.defence_share:.0%}"
        events.append(SleeveEvent("defence", reason))
    if shares.failure:
        events.append(SleeveEvent("solver_fallback", f"{shares.method} instead of risk parity: {shares.failure}"))
    if _nothing_weighed(shares):
        outcome = "the previous targets stay" if month.stays else "the defence is cash"
        events.append(SleeveEvent("no_known_risk", f"{outcome}: {name_left_out(view, shares)}"))
    return tuple(events)
