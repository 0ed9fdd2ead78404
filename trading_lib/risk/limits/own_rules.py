"""Risk rules of users' own, asked after all others: they may lower a weight and never raise one.

Input: the session's `RiskAssessment` and what it rests on. Output: the same, with lower weights, and ceilings for what
is held above them. A rule that fails lets nothing be bought; what the system itself sells is sold all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Protocol, runtime_checkable

import numpy as np

from trading_lib.domain.book.portfolio import Portfolio
from trading_lib.domain.decision.risk import RULE_FAULT, RiskAssessment, RiskEvent, RuleCeiling
from trading_lib.domain.errors import ConfigurationError, StrategyFaultError
from trading_lib.domain.market.market_view import MarketView
from trading_lib.domain.market.prices import BoolArray, FloatArray
from trading_lib.domain.money import whole_lots
from trading_lib.risk.config import RuleConfig

METHOD = "ceilings"
DUST = 1e-9
LONGEST_REASON = 200


@dataclass(frozen=True, slots=True)
class RiskView:
    """What a rule is told of a session, n assets in universe order; weights are shares of net asset value.

    Attributes
    ----------
    market
        What is known at the decision time.
    level, floor, effective_level
        Drawdown level, correlation floor, and the higher of both, 0 to 4.
    drawdown
        From the reference peak, as a fraction.
    model_volatility
        Annualised 20-day volatility of the model portfolio; NaN when unknown.
    average_correlation, largest_correlation
        Over all pairs; NaN when fewer than two assets have 60 common sessions.
    nav, cash
        Dollars.
    held, targets, approved
        Shape (n,): present weights, those the strategies want, and those that risk control allows.
    may_increase
        Shape (n,): whether the asset may be bought at all.
    """

    market: MarketView
    level: int
    floor: int
    effective_level: int
    drawdown: float
    model_volatility: float
    average_correlation: float
    largest_correlation: float
    nav: float
    cash: float
    held: FloatArray
    targets: FloatArray
    approved: FloatArray
    may_increase: BoolArray


@dataclass(frozen=True, slots=True)
class Ceiling:
    """The largest weight an asset may have, at most the approved one, and why."""

    weight: float
    reason: str


@runtime_checkable
class RiskRule(Protocol):
    """One rule; it answers the same to the same question."""

    def ceilings(self, risk: RiskView) -> Mapping[str, Ceiling]:
        """Return symbol -> ceiling for what is to be lowered, and nothing for what may stay."""
        ...


_factories: dict[str, Callable[..., Any]] = {}
_newest_running: list[tuple[tuple[RuleConfig, ...], tuple[tuple[str, RiskRule], ...]]] = []


def register_rule(reference: str, rule: Callable[..., Any]) -> None:
    """Make a rule known by its reference; its options become keyword arguments of ``rule``."""
    _factories[reference] = rule
    _newest_running.clear()


def running_rules(configured: tuple[RuleConfig, ...]) -> tuple[tuple[str, RiskRule], ...]:
    """Create the configured rules, each with its reference.

    Raises
    ------
    ConfigurationError
        When one is unknown, cannot be created or has no method ``ceilings``.
    """
    if not configured:
        return ()
    newest = _newest_running[-1] if _newest_running else None
    if newest is None or newest[0] is not configured:
        newest = (configured, tuple((entry.rule, _create(entry)) for entry in configured))
        _newest_running[:] = [newest]
    return newest[1]


def _create(entry: RuleConfig) -> RiskRule:
    if entry.rule not in _factories:
        raise ConfigurationError(f"there is no risk rule {entry.rule!r}", "load the configuration that names it first")
    try:
        made = _factories[entry.rule](**dict(entry.options))
    except (TypeError, ValueError) as error:
        raise ConfigurationError(
            f"risk rule {entry.rule} cannot be created from {dict(entry.options)}: {error}", "correct its options"
        ) from None
    if not callable(getattr(made, METHOD, None)):
        raise ConfigurationError(
            f"risk rule {entry.rule} has no method {METHOD}(risk)", "see docs/operations/risk-rules.md"
        )
    return made  # type: ignore[no-any-return]


def apply_rules(
    view: MarketView,
    targets: FloatArray,
    held: FloatArray,
    portfolio: Portfolio,
    assessment: RiskAssessment,
    configured: tuple[RuleConfig, ...],
) -> RiskAssessment:
    """Lower what the configured rules want lower.

    Parameters
    ----------
    targets, held
        Shape (n,): weights wanted and present.
    """
    if not configured:
        return assessment
    given = _risk_view(view, targets, held, portfolio, assessment)
    for reference, rule in running_rules(configured):
        ceilings, problem = _asked(rule, given)
        if problem:
            assessment = _after_fault(assessment, reference, problem, held, view)
        else:
            assessment = _lowered(assessment, reference, ceilings, held, portfolio, view)
    return assessment


def _risk_view(
    view: MarketView, targets: FloatArray, held: FloatArray, portfolio: Portfolio, assessment: RiskAssessment
) -> RiskView:
    return RiskView(
        view,
        assessment.level,
        assessment.floor,
        assessment.effective_level,
        assessment.drawdown,
        assessment.model_volatility,
        assessment.average_correlation,
        assessment.largest_correlation,
        float(portfolio.nav),
        float(portfolio.cash),
        held,
        targets,
        assessment.weights,
        assessment.may_increase,
    )


def _asked(rule: RiskRule, given: RiskView) -> tuple[Mapping[str, Ceiling], str]:
    try:
        ceilings = rule.ceilings(given)
    except StrategyFaultError as error:  # told with file and line already
        return {}, f"{METHOD} failed: {error}"
    except Exception as error:  # what the system has to sell must be sold
        return {}, f"{METHOD} failed: {type(error).__name__}: {' '.join(str(error).split())}"
    return ceilings, next(_problems(ceilings, given), "")


def _problems(ceilings: Any, given: RiskView) -> Iterator[str]:
    """Say what is wrong with an answer."""
    if not isinstance(ceilings, Mapping):
        yield f"{METHOD} answers {type(ceilings).__name__}, not a mapping of symbols to Ceiling"
        return
    at = given.market.universe.positions
    for symbol, ceiling in ceilings.items():
        if symbol not in at:
            yield f"{METHOD} names {symbol!r}, which is not in the universe"
        elif type(ceiling) is not Ceiling:
            yield f"{METHOD} answers {type(ceiling).__name__} for {symbol}, not Ceiling"
        elif isinstance(ceiling.weight, bool) or not isinstance(ceiling.weight, int | float | np.floating):
            yield f"{METHOD} answers {type(ceiling.weight).__name__} as the weight of {symbol}, not a number"
        elif not np.isfinite(ceiling.weight) or ceiling.weight < 0.0:
            yield f"{METHOD} answers {float(ceiling.weight):g} as the weight of {symbol}: it must be 0 or more"
        elif ceiling.weight > given.approved[at[symbol]] + DUST:
            allowed = given.approved[at[symbol]]
            yield f"{METHOD} raises {symbol} to {ceiling.weight:.2%} where {allowed:.2%} is allowed: only lower it"
        elif not isinstance(ceiling.reason, str) or not ceiling.reason.strip():
            yield f"{METHOD} gives no reason for {symbol}"


def _lowered(
    assessment: RiskAssessment,
    reference: str,
    ceilings: Mapping[str, Ceiling],
    held: FloatArray,
    portfolio: Portfolio,
    view: MarketView,
) -> RiskAssessment:
    """Lower the weights, and let what is held above a ceiling be sold by a risk order."""
    lowered, at = [], view.universe.positions
    quantities, reasons = assessment.ceilings.copy(), dict(assessment.ceiling_reasons)
    for symbol in sorted(ceilings, key=at.__getitem__):
        i, weight = at[symbol], float(ceilings[symbol].weight)
        reason = " ".join(ceilings[symbol].reason.split())[:LONGEST_REASON]
        lowered.append(RuleCeiling(reference, symbol, float(assessment.weights[i]), weight, reason))
        left = _quantity(symbol, weight, portfolio, view) if held[i] > weight + DUST else None
        if left is not None and float(left) < quantities[i]:
            quantities[i], reasons[symbol] = float(left), f"risk rule {reference}: {reason}"
    return replace(_with(assessment, lowered, view), ceilings=quantities, ceiling_reasons=reasons)


def _quantity(symbol: str, weight: float, portfolio: Portfolio, view: MarketView) -> Decimal | None:
    """Return how much of a position the weight leaves; None where nothing is held or it cannot be valued."""
    position = portfolio.positions.get(symbol)
    if position is None or portfolio.nav <= 0 or portfolio.marks[symbol] <= 0:
        return None
    units = Decimal(repr(weight)) * portfolio.nav / portfolio.marks[symbol]
    return min(whole_lots(units, view.universe[symbol].lot_size), position.quantity)


def _after_fault(
    assessment: RiskAssessment, reference: str, problem: str, held: FloatArray, view: MarketView
) -> RiskAssessment:
    """Let nothing be bought: what the rule would have forbidden is unknown."""
    reason = f"risk rule {reference} failed, so nothing is bought: {problem}"
    level = assessment.effective_level
    kept = [
        RuleCeiling(reference, symbol, float(weight), float(present), reason[:LONGEST_REASON])
        for symbol, weight, present in zip(view.universe.symbols, assessment.weights, held, strict=True)
        if weight > present
    ]
    event = RiskEvent(view.session, RULE_FAULT, "", level, level, reason)
    lowered = _with(assessment, kept, view)
    nothing = np.zeros_like(assessment.may_increase)
    return replace(lowered, may_increase=nothing, events=(*assessment.events, event))


def _with(assessment: RiskAssessment, ceilings: list[RuleCeiling], view: MarketView) -> RiskAssessment:
    weights, clips = assessment.weights.copy(), dict(assessment.clips)
    for ceiling in ceilings:
        if ceiling.lowers:
            weights[view.universe.positions[ceiling.symbol]] = ceiling.weight
            clips[ceiling.symbol] = (*clips.get(ceiling.symbol, ()), ceiling.rule)
    return replace(assessment, weights=weights, clips=clips, rule_ceilings=(*assessment.rule_ceilings, *ceilings))
