"""decide(): the one decision core, composed from the stages; backtest, paper and live trading all use it.

Pure: no I/O, no clock, no randomness. The backtest folds `decide` over sessions; the pipeline calls the same stage
functions one task at a time, in the same order, and stores what each returns.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np

from trading_lib.decision_config import DecisionConfig
from trading_lib.domain.book.holdings import holdings_of
from trading_lib.domain.book.portfolio import Portfolio
from trading_lib.domain.decision.risk import RiskAssessment, RiskState
from trading_lib.domain.decision.signals import RegimeReading, SignalPanel
from trading_lib.domain.decision.sleeves import SLEEVE_FAULT, SleeveEvent, SleeveRecord, SleeveTarget, SleeveView
from trading_lib.domain.decision.weights import TargetWeights
from trading_lib.domain.errors import StrategyFaultError, StrategyUnusableError
from trading_lib.domain.market.instruments import Universe
from trading_lib.domain.market.market_view import MarketView
from trading_lib.domain.market.prices import BoolArray, FloatArray
from trading_lib.domain.money_arithmetic import weights_of_holdings
from trading_lib.orders.generate import OrderBatch, generate_orders
from trading_lib.orders.hedge import with_hedges
from trading_lib.portfolio.constraints import constrain, valid_weights
from trading_lib.portfolio.sleeves import attribute, blend, drift, forget_stopped, sleeve_parts
from trading_lib.risk.assess import assess_risk
from trading_lib.risk.limits.own_rules import apply_rules
from trading_lib.strategies.regime import read_regime
from trading_lib.strategies.registry import Sleeve, running_sleeves
from trading_lib.strategies.signals import generate_signals


@dataclass(frozen=True, slots=True)
class Decision:
    """A session's decision: signals, weights before and after risk control, the assessment, the orders."""

    regime: RegimeReading
    signals: SignalPanel
    targets: TargetWeights
    assessment: RiskAssessment
    batch: OrderBatch


def held_weights(universe: Universe, portfolio: Portfolio) -> FloatArray:
    """Weights held, shape (n,); a position that the universe does not list is an `UnknownSymbolError`."""
    if not portfolio.positions.keys() <= universe.positions.keys():
        universe.require_known(portfolio.positions, "the portfolio")
    holdings = holdings_of(portfolio, universe.symbols)
    return weights_of_holdings(holdings.quantity, holdings.mark, float(portfolio.nav))


def hedged_weights(portfolio: Portfolio) -> dict[str, float]:
    """Perpetual -> what is sold short of it, as a share of net asset value."""
    if not portfolio.perpetuals or portfolio.nav <= 0:
        return {}
    # Always in one order: sums of floats depend on it, and a stored portfolio may be read in another.
    shorts = sorted(portfolio.perpetuals.items())
    return {symbol: float(-position.quantity * position.mark / portfolio.nav) for symbol, position in shorts}


def signal_stage(view: MarketView, config: DecisionConfig) -> tuple[RegimeReading, SignalPanel]:
    """Regime and signals of the session."""
    regime = read_regime(view.volatility_index, view.volatility_index_age, config.strategy.regime)
    return regime, generate_signals(view, regime, config.strategy.signals)


@dataclass(frozen=True, slots=True)
class SleeveHistory:
    """The sleeves' last decision, and how many sessions ago it was made.

    Attributes
    ----------
    records
        Sleeve -> its decision; empty for a book's first session.
    sessions
        Sessions since then.
    stopped
        Symbols whose stop has fired and that are cooling off: no sleeve's target for them exceeds what is left.
    """

    records: Mapping[str, SleeveRecord] = field(default_factory=dict)
    sessions: int = 1
    stopped: Collection[str] = ()


FIRST_SESSION = SleeveHistory()


def target_stage(
    view: MarketView,
    regime: RegimeReading,
    signals: SignalPanel,
    held: FloatArray,
    history: SleeveHistory,
    config: DecisionConfig,
    hedged: Mapping[str, float] = MappingProxyType({}),
) -> TargetWeights:
    """Targets of the sleeves, their blend, and the portfolio constraints.

    A sleeve that fails or answers with NaN or negative weights keeps its previous target, and an event says so
    (docs/specification.md#unusable-answers).

    Parameters
    ----------
    held
        Shape (n,): `held_weights`, spot legs included.
    hedged
        `hedged_weights`.
    """
    sleeves = running_sleeves(config.strategy)
    views = _sleeve_views(view, regime, signals, held, history, sleeves, hedged)
    records = {
        sleeve.name: SleeveRecord(_decide_sleeve(sleeve, view, sleeve_view), sleeve_view.held, sleeve.budget)
        for sleeve, sleeve_view in zip(sleeves, views, strict=True)
    }
    weights = {name: record.target.weights for name, record in records.items()}
    blended = blend(weights, {sleeve.name: sleeve.budget for sleeve in sleeves}, len(view.universe))
    return constrain(view, blended, held, config.constraints, records)


def _sleeve_views(
    view: MarketView,
    regime: RegimeReading,
    signals: SignalPanel,
    held: FloatArray,
    history: SleeveHistory,
    sleeves: tuple[Sleeve, ...],
    hedged: Mapping[str, float],
) -> list[SleeveView]:
    """Give every sleeve its holdings and its last target as shares of its own capital.

    Otherwise HOLD would shrink a holding by the sleeve's budget every session.
    """
    nothing = np.zeros(len(held))
    past = [history.records.get(sleeve.name) for sleeve in sleeves]
    budgets = np.array([sleeve.budget for sleeve in sleeves])
    returns = view.mark_returns[max(0, len(view.mark_returns) - history.sessions) :]
    past_held = np.array([record.held if record else nothing for record in past])
    past_targets = np.array([record.target.weights if record else nothing for record in past])
    stopped = _stopped(view.universe, history.stopped)
    if hedged or any(sleeve.hedges for sleeve in sleeves):
        drifted = drift(past_targets, returns)
        before = drift(past_held, returns) * budgets[:, None]
        owned = _apart(view, held, before, drifted * budgets[:, None], budgets, sleeves, hedged)
        forget_stopped(drifted, owned, stopped)
    else:
        owned, drifted = sleeve_parts(held, past_held, past_targets, budgets, returns, stopped)
    return [
        SleeveView(
            owned[i],
            drifted[i],
            record.target.memory if record else {},
            regime,
            signals,
            sleeve.budget,
            {symbol: weight / sleeve.budget for symbol, weight in hedged.items()} if sleeve.hedges else {},
        )
        for i, (sleeve, record) in enumerate(zip(sleeves, past, strict=True))
    ]


def _stopped(universe: Universe, symbols: Collection[str]) -> BoolArray:
    """Shape (n,): the assets among ``symbols``; one may have left the universe."""
    if not symbols:
        return universe.nothing
    return np.array([symbol in symbols for symbol in universe.symbols])


def _apart(
    view: MarketView,
    held: FloatArray,
    before: FloatArray,
    targets: FloatArray,
    budgets: FloatArray,
    sleeves: tuple[Sleeve, ...],
    hedged: Mapping[str, float],
) -> FloatArray:
    """Split holdings of which some are hedged: hedged units belong to the hedging sleeve, the rest to the others.

    Without a hedging sleeve nobody owns them, and they are closed.
    """
    short = np.zeros(len(held))
    contract = view.universe.perpetuals
    if contract is not None and contract.spot in view.universe.positions:
        short[view.universe.positions[contract.spot]] = sum(hedged.values())
    owned = np.zeros_like(before)
    others = [i for i, sleeve in enumerate(sleeves) if not sleeve.hedges]
    for i, sleeve in enumerate(sleeves):
        if sleeve.hedges:
            owned[i] = np.minimum(short, held)
    if others:
        rest = np.maximum(held - short, 0.0)
        owned[others] = attribute(rest, before[others], targets[others], budgets[others])
    parts: FloatArray = owned / budgets[:, None]
    return parts


def _decide_sleeve(sleeve: Sleeve, view: MarketView, sleeve_view: SleeveView) -> SleeveTarget:
    try:
        target = sleeve.strategy.target(view, sleeve_view)
        problem = _weight_problem(target, view.universe) or _hedge_problem(target, view, sleeve)
    except StrategyUnusableError:
        raise
    except StrategyFaultError as error:  # its message has file and line already
        problem = str(error)
    except (
        Exception,
        SystemExit,
    ) as error:  # the other sleeves still have to be decided
        problem = f"{type(error).__name__}: {' '.join(str(error).split())}"
    if not problem:
        return target
    reason = f"sleeve {sleeve.name} keeps its previous target: {problem}"
    # Its hedge target does not follow from weights alone; both legs stay as they are held.
    kept = sleeve_view.held if sleeve.hedges else sleeve_view.wanted
    return SleeveTarget(
        kept, lambda: {"": reason}, sleeve_view.memory, (SleeveEvent(SLEEVE_FAULT, reason),), sleeve_view.hedged
    )


def _weight_problem(target: Any, universe: Universe) -> str:
    assets = len(universe)
    weights = getattr(target, "weights", None)
    if not isinstance(weights, np.ndarray) or weights.shape != (assets,) or weights.dtype != np.float64:
        return f"its strategy must answer with a SleeveTarget of {assets} float64 weights"
    if valid_weights(weights):
        return ""
    if not np.isfinite(weights).all():
        symbols = [symbol for symbol, weight in zip(universe.symbols, weights, strict=True) if not np.isfinite(weight)]
        return f"a weight is not a finite number ({', '.join(symbols[:3])}{' and others' * (len(symbols) > 3)})"
    return f"a weight is negative ({universe.symbols[int(weights.argmin())]} {weights.min():.4f})"


def _hedge_problem(target: SleeveTarget, view: MarketView, sleeve: Sleeve) -> str:
    if not target.hedges:
        return ""
    contract = view.universe.perpetuals
    if not sleeve.hedges or contract is None or not all(contract.covers(symbol) for symbol in target.hedges):
        return f"it may not sell {', '.join(target.hedges)} short"
    spot = float(target.weights[view.universe.positions[contract.spot]])
    if not all(weight >= 0.0 for weight in target.hedges.values()) or not sum(target.hedges.values()) <= spot + 1e-9:
        return f"its short legs {dict(target.hedges)} do not fit the weight {spot:.4f} of {contract.spot}"
    return ""


def risk_stage(
    view: MarketView,
    regime: RegimeReading,
    signals: SignalPanel,
    targets: TargetWeights,
    held: FloatArray,
    portfolio: Portfolio,
    state: RiskState,
    config: DecisionConfig,
) -> RiskAssessment:
    """Apply risk control to the targets, the user's own rules last."""
    assessment = assess_risk(view, regime, signals, targets, held, portfolio, state, config.risk)
    return apply_rules(view, targets.weights, held, portfolio, assessment, config.risk.rules)


def order_stage(
    view: MarketView,
    signals: SignalPanel,
    targets: TargetWeights,
    assessment: RiskAssessment,
    held: FloatArray,
    portfolio: Portfolio,
    book: str,
    config: DecisionConfig,
) -> OrderBatch:
    """Orders of the session: spot first, then the short legs that follow them."""
    batch = generate_orders(view, signals, assessment, held, portfolio, book, config.orders, targets.sleeves)
    if not portfolio.perpetuals and not any(record.target.hedges for record in targets.sleeves.values()):
        return batch
    return with_hedges(batch, view, targets, assessment, portfolio, book, config.orders)


def decide(
    market: MarketView,
    portfolio: Portfolio,
    risk: RiskState,
    config: DecisionConfig,
    book: str,
    previous: Mapping[str, SleeveRecord] | None = None,
) -> Decision:
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
    previous
        `TargetWeights.sleeves` of the session before; None for a book's first.
    """
    held = held_weights(market.universe, portfolio)
    regime, signals = signal_stage(market, config)
    history = SleeveHistory(previous or {}, stopped=risk.cooling_off)
    targets = target_stage(market, regime, signals, held, history, config, hedged_weights(portfolio))
    assessment = risk_stage(market, regime, signals, targets, held, portfolio, risk, config)
    batch = order_stage(market, signals, targets, assessment, held, portfolio, book, config)
    return Decision(regime, signals, targets, assessment, batch)
