"""Rationale of the approved weights: a `WeightStep` for each risk rule that lowered any target weight.

Input: a session's targets and `RiskAssessment`. The numbers are the trace of the kernel that decides.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trading_lib.domain.book.portfolio import Portfolio
from trading_lib.domain.decision.risk import RiskAssessment
from trading_lib.domain.decision.signals import SignalPanel
from trading_lib.domain.decision.weights import TargetWeights, WeightStep
from trading_lib.domain.market.market_view import MarketView
from trading_lib.domain.market.prices import FloatArray
from trading_lib.risk.config import RiskConfig
from trading_lib.risk.levels.levels import recovery_size
from trading_lib.risk.limits.buy_restrictions import (
    AFTER_LADDER,
    AFTER_LEVERAGE,
    APPROVED,
    BITS,
    LADDER_BIT,
    LADDER_LEVERAGE_BIT,
    LIQUIDATION,
    RULES,
    TARGETS,
    Blocks,
    blocked_purchases,
    names_of,
    traced_limits,
)

# Named for a rule when an earlier one has lowered the weight already.
TOO = "forbids the purchase, too"


def buy_restriction_steps(
    view: MarketView,
    signals: SignalPanel,
    targets: TargetWeights,
    held: FloatArray,
    portfolio: Portfolio,
    assessment: RiskAssessment,
    config: RiskConfig,
) -> tuple[WeightStep, ...]:
    """Explain how the target weights became the approved weights.

    Where several rules forbid a purchase, the first one lowers the weight and the others are named after it.

    Parameters
    ----------
    held
        Shape (n,): the present weights.
    """
    size = recovery_size(assessment.next_state.recovery_sessions, config)
    limit, short = assessment.leverage_limit, sum(targets.hedges.values())
    blocks = blocks_of(view, signals, portfolio, assessment)
    lowered, trace = traced_limits(targets.weights, held, blocks, size, limit, short)
    steps = []

    def step(bit: int, before: FloatArray, after: FloatArray, text: str) -> None:
        bound = np.flatnonzero(lowered & bit).tolist()
        if bound:
            (rule,) = names_of(bit)
            steps.append(WeightStep(rule, before, after, {i: text if after[i] < before[i] else TOO for i in bound}))

    step(LADDER_BIT, trace[TARGETS], trace[AFTER_LADDER], f"re-entry buys {size:.0%} of the normal size")
    shorts = f", short legs of {short:.1%} included" if short else ""
    text = f"all weights together at most {limit:.0%}{shorts}"
    step(LADDER_LEVERAGE_BIT, trace[AFTER_LADDER], trace[AFTER_LEVERAGE], text)
    before = trace[AFTER_LEVERAGE]
    for rule, bit in zip(RULES, BITS, strict=False):
        after = np.where(lowered & bit, trace[APPROVED], before)
        step(bit, before, after, "everything is sold" if rule == LIQUIDATION else "no more than what is held")
        before = after
    return (*steps, *_own_steps(assessment, before, view))


def _own_steps(assessment: RiskAssessment, before: FloatArray, view: MarketView) -> Iterator[WeightStep]:
    """One step for each rule of the user's own that lowered anything."""
    lowering = [ceiling for ceiling in assessment.rule_ceilings if ceiling.lowers]
    for rule in dict.fromkeys(ceiling.rule for ceiling in lowering):
        after, details = before.copy(), {}
        for ceiling in lowering:
            if ceiling.rule == rule:
                i = view.universe.positions[ceiling.symbol]
                after[i], details[i] = ceiling.weight, ceiling.reason
        yield WeightStep(rule, before, after, details)
        before = after


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
