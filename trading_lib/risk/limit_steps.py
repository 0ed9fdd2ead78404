"""What risk control did to the target weights, rule by rule, for explanations. `limited` does it in one pass.

Input: a session's targets and `RiskAssessment`. Output: a `WeightStep` per rule that changed something.
"""

from __future__ import annotations

import numpy as np

from trading_lib.domain.market_view import MarketView
from trading_lib.domain.portfolio import Portfolio
from trading_lib.domain.prices import FloatArray
from trading_lib.domain.risk import RiskAssessment
from trading_lib.domain.signals import SignalPanel
from trading_lib.domain.weight_steps import WeightStep
from trading_lib.risk.config import RiskConfig
from trading_lib.risk.levels import recovery_size
from trading_lib.risk.limits import LADDER, LADDER_LEVERAGE, LIQUIDATION, Blocks, blocked_purchases, named


def limit_steps(
    view: MarketView,
    signals: SignalPanel,
    targets: FloatArray,
    held: FloatArray,
    portfolio: Portfolio,
    assessment: RiskAssessment,
    config: RiskConfig,
) -> tuple[WeightStep, ...]:
    """Retrace how the target weights became the approved weights, shapes (n,)."""
    steps: list[WeightStep] = []
    weights = targets

    def step(rule: str, after: FloatArray, text: str = "") -> FloatArray:
        changed = np.flatnonzero(after != weights)
        if len(changed):
            steps.append(WeightStep(rule, weights, after, dict.fromkeys(changed.tolist(), text) if text else {}))
        return after

    size = recovery_size(assessment.next_state.recovery_sessions, config)
    ladder = np.minimum(targets, np.maximum(targets * size, held))
    weights = step(LADDER, ladder, f"re-entry buys {size:.0%} of the normal size")
    total, limit = float(weights.sum()), assessment.leverage_limit
    if total > limit:
        weights = step(LADDER_LEVERAGE, weights * (limit / total), f"all weights together at most {limit:.0%}")
    blocks = list(named(blocks_of(view, signals, portfolio, assessment)))
    for rule, mask in blocks:
        weights = step(rule, np.where(mask, np.minimum(weights, held), weights), "no more than what is held")
    if any(rule == LIQUIDATION for rule, _ in blocks):
        step(LIQUIDATION, np.zeros_like(weights), "everything is sold")
    return tuple(steps)


def blocks_of(view: MarketView, signals: SignalPanel, portfolio: Portfolio, assessment: RiskAssessment) -> Blocks:
    """Return the rules that forbade buying in an assessed session; see `blocked_purchases`."""
    state = assessment.next_state
    return blocked_purchases(
        view,
        signals,
        assessment.effective_level,
        state.approved,
        assessment.minimum_confidence,
        state.cooling_off,
        negative_cash=portfolio.cash < 0,
        retired=state.retired,
    )
