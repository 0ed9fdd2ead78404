"""Explains one asset of one decided session: data, factors, signal, sleeves, constraints, risk, order, fill."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np

from trading_lib.decision import Decision, held_weights
from trading_lib.decision_config import DecisionConfig
from trading_lib.domain.book.orders import Fill, Order
from trading_lib.domain.book.portfolio import Portfolio
from trading_lib.domain.decision.signals import SignalType
from trading_lib.domain.decision.weights import WeightStep
from trading_lib.domain.market.instruments import TradingCalendar
from trading_lib.domain.market.market_view import MarketView
from trading_lib.domain.market.prices import FloatArray
from trading_lib.factors.calculator import PRICE_LIKE
from trading_lib.portfolio.rationale import constraint_steps
from trading_lib.risk.levels.levels import recovery_size
from trading_lib.risk.limits.buy_restrictions import named
from trading_lib.risk.rationale import blocks_of, buy_restriction_steps
from trading_lib.strategies.regime import describe_regime
from trading_lib.strategies.signals import describe_signals

Section = dict[str, Any]

# Weights that two ways of computing them agree in.
DUST = 1e-9


@dataclass(frozen=True, slots=True)
class Evidence:
    """The evidence behind a decided session.

    Attributes
    ----------
    origin
        Its origin, as text.
    quarantine
        Symbol -> rules its bars of the session broke.
    outcomes
        Client order id -> what became of the order, as text.
    fills
        Of the session's orders.
    """

    origin: str
    data_source: str
    config_hash: str
    config: DecisionConfig
    view: MarketView
    portfolio: Portfolio
    decision: Decision
    quarantine: Mapping[str, Sequence[str]]
    outcomes: Mapping[str, str]
    fills: Sequence[Fill]


def explain_symbol(evidence: Evidence, symbol: str) -> Section:
    """Collect everything about one asset; `UnknownSymbolError` when the universe does not list it."""
    view, decision = evidence.view, evidence.decision
    instrument = view.universe[symbol]
    at = view.universe.positions[symbol]
    held = held_weights(view.universe, evidence.portfolio)
    return {
        "session": view.session.isoformat(),
        "symbol": symbol,
        "name": instrument.name,
        "origin": evidence.origin,
        "data_source": evidence.data_source,
        "config_hash": evidence.config_hash,
        "bar": _bar(evidence, symbol, at),
        "factors": _factors(view, at),
        "regime": {"regime": decision.regime.regime.value, "reason": describe_regime(decision.regime)},
        "signal": _signal(evidence, at),
        "position": _position(evidence, symbol, float(held[at])),
        "sleeves": _sleeves(evidence, symbol, at),
        "blended_weight": float(decision.targets.wanted[at]),
        "constraints": _constraints(evidence, held, symbol, at),
        "target_weight": float(decision.targets.weights[at]),
        "risk": _risk(evidence, held, symbol, at),
        "approved_weight": float(decision.assessment.weights[at]),
        "order": _order(evidence, symbol),
        "held_back": _held_back(evidence, held, symbol, at),
        "fill": _fill(evidence, symbol),
        "short_legs": _short_legs(evidence, symbol),
    }


def _bar(evidence: Evidence, symbol: str, at: int) -> Section:
    view = evidence.view
    always = view.universe[symbol].calendar is TradingCalendar.ALWAYS
    # The bar of the session's own UTC day is not complete at the decision.
    day = view.session - timedelta(days=1) if always else view.session
    return {
        "date": day.isoformat() if view.fresh[at] else None,
        "close": _number(view.close[at]),
        "fresh": bool(view.fresh[at]),
        "volume": _number(view.volume[at]),
        "total_return_factor": _number(view.price_factor[at]),
        "quarantine": list(evidence.quarantine.get(symbol, ())),
    }


def _factors(view: MarketView, at: int) -> Section:
    """Values as they are stored: price-like ones in raw dollars."""
    return {
        name: _number(values[at] / view.price_factor[at] if name in PRICE_LIKE else values[at])
        for name, values in view.factors.items()
    }


def _signal(evidence: Evidence, at: int) -> Section:
    decision, signals = evidence.decision, evidence.decision.signals
    trade_signal = describe_signals(
        evidence.view, decision.regime, signals, decision.targets.weights, evidence.config.strategy.signals
    )[at]
    return {
        "signal": trade_signal.signal.name,
        "before_regime": SignalType(int(signals.unfiltered_codes[at])).name,
        "confidence": float(signals.confidence[at]),
        "complete": bool(signals.complete[at]),
        "reason": trade_signal.reason,
    }


def _position(evidence: Evidence, symbol: str, weight: float) -> Section:
    portfolio = evidence.portfolio
    position = portfolio.positions.get(symbol)
    held = {"weight": weight, "net_asset_value": str(portfolio.nav), "cash": str(portfolio.cash)}
    if position is None:
        return {"quantity": "0", "average_cost": None, "mark": None, **held}
    cost, mark = str(position.average_cost), str(portfolio.marks[symbol])
    return {"quantity": str(position.quantity), "average_cost": cost, "mark": mark, **held}


def _sleeves(evidence: Evidence, symbol: str, at: int) -> list[Section]:
    sections = []
    for name, record in evidence.decision.targets.sleeves.items():
        rationale = record.target.rationale()
        sections.append(
            {
                "sleeve": name,
                "budget": record.budget,
                "held": float(record.held[at]),
                "wanted": float(record.target.weights[at]),
                "wanted_of_nav": float(record.budget * record.target.weights[at]),
                "hedges_of_nav": {leg: record.budget * weight for leg, weight in record.target.hedges.items()},
                "reason": rationale.get(symbol, ""),
                "sleeve_reason": rationale.get("", ""),
                "events": [event.reason for event in record.target.events if event.symbol in ("", symbol)],
            }
        )
    return sections


def _constraints(evidence: Evidence, held: FloatArray, symbol: str, at: int) -> list[Section]:
    targets = evidence.decision.targets
    steps = constraint_steps(evidence.view, targets, held, evidence.config.constraints)
    return _sections(steps, targets.wanted, targets.weights, at, targets.clips.get(symbol, ()))


def _risk(evidence: Evidence, held: FloatArray, symbol: str, at: int) -> Section:
    decision, assessment, config = evidence.decision, evidence.decision.assessment, evidence.config.risk
    state = assessment.next_state
    targets = decision.targets
    steps = buy_restriction_steps(
        evidence.view, decision.signals, targets, held, evidence.portfolio, assessment, config
    )
    ceiling = float(assessment.ceilings[at])
    return {
        "level": assessment.level,
        "floor": assessment.floor,
        "effective_level": assessment.effective_level,
        "drawdown": assessment.drawdown,
        "reference_peak": state.reference_peak,
        "peak": state.peak,
        "model_volatility": _number(assessment.model_volatility),
        "average_correlation": _number(assessment.average_correlation),
        "minimum_confidence": assessment.minimum_confidence,
        "recovery_sessions": state.recovery_sessions,
        "recovery_size": recovery_size(state.recovery_sessions, config),
        "cooling_off_sessions": state.cooling_off.get(symbol, 0),
        "may_increase": bool(assessment.may_increase[at]),
        "ceiling": _number(ceiling),
        "ceiling_reason": assessment.ceiling_reasons.get(symbol, ""),
        "steps": _sections(steps, targets.weights, assessment.weights, at, assessment.clips.get(symbol, ())),
        "events": [event.reason for event in assessment.events if event.symbol in ("", symbol)],
        "event_details": [event.as_dict() for event in assessment.events if event.symbol in ("", symbol)],
    }


def _sections(
    steps: Sequence[WeightStep], before: FloatArray, after: FloatArray, at: int, clips: Sequence[str]
) -> list[Section]:
    """Keep the steps that concern the asset; where today's configuration leads elsewhere, only the rules' names."""
    end = steps[-1].after if steps else before
    if np.abs(end - after).max() > DUST:
        reason = "decided under another configuration: the steps between cannot be retraced"
        return [{"rule": ", ".join(clips), "before": float(before[at]), "after": float(after[at]), "detail": reason}]
    return [
        {
            "rule": step.rule,
            "before": float(step.before[at]),
            "after": float(step.after[at]),
            "detail": step.details[at],
        }
        for step in steps
        if at in step.details
    ]


def _short_legs(evidence: Evidence, symbol: str) -> list[Section]:
    """Perpetuals that hedge the asset: what is sold short, and the session's order and fill."""
    contract = evidence.view.universe.perpetuals
    if contract is None or contract.spot != symbol:
        return []
    held = evidence.portfolio.perpetuals
    ordered = [order.symbol for order in evidence.decision.batch.orders if contract.covers(order.symbol)]
    return [
        {
            "symbol": leg,
            "quantity": str(held[leg].quantity) if leg in held else "0",
            "order": _order(evidence, leg),
            "fill": _fill(evidence, leg),
        }
        for leg in sorted({*held, *ordered})
    ]


def _order(evidence: Evidence, symbol: str) -> Section | None:
    order = _order_of(evidence, symbol)
    if order is None:
        return None
    return {
        "client_order_id": order.client_order_id,
        "side": order.side.value,
        "quantity": str(order.quantity),
        "expected_price": str(order.expected_price),
        "value": str(order.expected_notional),
        "purpose": order.purpose.value,
        "reason": order.reason,
        "outcome": evidence.outcomes.get(order.client_order_id, ""),
    }


def _order_of(evidence: Evidence, symbol: str) -> Order | None:
    return next((order for order in evidence.decision.batch.orders if order.symbol == symbol), None)


def _held_back(evidence: Evidence, held: FloatArray, symbol: str, at: int) -> str:
    """Say what kept the approved weight from becoming an order, or cut that order; "" when nothing did."""
    view, assessment, config = evidence.view, evidence.decision.assessment, evidence.config.orders
    limit = evidence.decision.batch.skipped.get(symbol, "")
    order = _order_of(evidence, symbol)
    if order is not None:
        return f"cut by: {limit}" if limit else ""
    change = float(assessment.weights[at] - held[at])
    if limit:
        return limit
    if assessment.effective_level == 4:
        return "at level 4 nothing but liquidation is ordered"
    weight_change = float(evidence.decision.targets.weights[at] - held[at])
    blocks = blocks_of(view, evidence.decision.signals, evidence.portfolio, assessment)
    names = ", ".join(rule for rule, mask in named(blocks) if mask[at])
    if weight_change >= config.rebalance_threshold and names:
        return f"buying is not allowed: {names}"
    if abs(change) < config.rebalance_threshold:
        return f"a change of {change:+.2%} is below the threshold of {config.rebalance_threshold:.0%}"
    if not math.isfinite(view.close[at]):
        return "no good price is known"
    return "less than one lot"


def _fill(evidence: Evidence, symbol: str) -> Section | None:
    fill = next((fill for fill in evidence.fills if fill.symbol == symbol), None)
    if fill is None:
        return None
    return {
        "side": fill.side.value,
        "quantity": str(fill.quantity),
        "price": str(fill.price),
        "opening_price": str(fill.reference_price),
        "commission": str(fill.commission),
        "filled_at": fill.filled_at.isoformat(),
        "session": fill.session.isoformat(),
    }


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
