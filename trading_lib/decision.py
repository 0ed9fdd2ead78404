"""decide(): the one decision core, composed from the stages. Backtest, paper and live all use it.

Pure: no I/O, no clock, no randomness. The backtest folds `decide` over sessions; the pipeline calls the same stage
functions one task at a time, in the same order, and stores what each returns.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trading_lib.decision_config import DecisionConfig
from trading_lib.domain.instruments import Universe
from trading_lib.domain.market_view import MarketView
from trading_lib.domain.portfolio import Portfolio
from trading_lib.domain.prices import FloatArray
from trading_lib.domain.risk import RiskAssessment, RiskState
from trading_lib.domain.signals import RegimeReading, SignalPanel
from trading_lib.domain.weights import TargetWeights
from trading_lib.orders.generate import OrderBatch, generate_orders
from trading_lib.portfolio.constraints import blend, constrain
from trading_lib.risk.assess import assess_risk
from trading_lib.strategies.regime import read_regime
from trading_lib.strategies.signals import generate_signals
from trading_lib.strategies.trend import trend_weights


@dataclass(frozen=True, slots=True)
class Decision:
    """All a session decided: signals, weights before and after risk, the assessment, the orders."""

    regime: RegimeReading
    signals: SignalPanel
    targets: TargetWeights
    assessment: RiskAssessment
    batch: OrderBatch


def held_weights(universe: Universe, portfolio: Portfolio) -> FloatArray:
    """Present weights, shape (n,)."""
    weights = np.zeros(len(universe))
    nav = float(portfolio.nav)
    if nav > 0:
        for symbol, position in portfolio.positions.items():
            weights[universe.positions[symbol]] = float(position.quantity) * float(portfolio.marks[symbol]) / nav
    return weights


def signal_stage(view: MarketView, config: DecisionConfig) -> tuple[RegimeReading, SignalPanel]:
    """Regime and signals of the session."""
    regime = read_regime(view.volatility_index, view.volatility_index_age, config.regime)
    return regime, generate_signals(view, regime, config.signals)


def target_stage(view: MarketView, signals: SignalPanel, held: FloatArray, config: DecisionConfig) -> TargetWeights:
    """Sleeves, their blend, and the portfolio constraints."""
    budget = config.sleeves.trend
    # A sleeve sees the holdings as shares of its own capital; otherwise HOLD would shrink them by the budget daily.
    share = held / budget if budget > 0 else np.zeros(len(held))
    trend = trend_weights(view, signals, share, config.signals.minimum_confidence, config.trend)
    wanted = blend({"trend": trend}, {"trend": budget}, len(view.universe))
    return constrain(view, wanted, held, config.constraints)


def risk_stage(
    view: MarketView,
    signals: SignalPanel,
    targets: TargetWeights,
    held: FloatArray,
    portfolio: Portfolio,
    state: RiskState,
    config: DecisionConfig,
) -> RiskAssessment:
    """Risk control over the targets."""
    return assess_risk(view, signals, targets, held, portfolio, state, config.risk)


def order_stage(
    view: MarketView,
    signals: SignalPanel,
    assessment: RiskAssessment,
    held: FloatArray,
    portfolio: Portfolio,
    book: str,
    config: DecisionConfig,
) -> OrderBatch:
    """Orders of the session."""
    return generate_orders(view, signals, assessment, held, portfolio, book, config.orders)


def decide(market: MarketView, portfolio: Portfolio, risk: RiskState, config: DecisionConfig, book: str) -> Decision:
    """Decide one session.

    Parameters
    ----------
    market
        What is known at the decision time.
    portfolio
        Holdings after the session's settlement, marked at the last good prices.
    risk
        The risk state after the previous decision.
    book
        Goes into the orders' ids.
    """
    held = held_weights(market.universe, portfolio)
    regime, signals = signal_stage(market, config)
    targets = target_stage(market, signals, held, config)
    assessment = risk_stage(market, signals, targets, held, portfolio, risk, config)
    batch = order_stage(market, signals, assessment, held, portfolio, book, config)
    return Decision(regime, signals, targets, assessment, batch)
