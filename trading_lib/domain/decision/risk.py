"""Risk state, events and assessments as values (docs/specification.md#risk-control)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Any

from trading_lib.domain.market.prices import BoolArray, FloatArray

# In arrays of fixed-point integers: a quantity without a ceiling.
UNLIMITED = -1
# Kind of the event of a user's risk rule that failed.
RULE_FAULT = "rule_fault"


@dataclass(frozen=True, slots=True)
class RiskEvent:
    """An action or a warning of risk control, with its reason.

    Attributes
    ----------
    kind
        level_raised, level_lowered, floor, pair_correlation, reduction, stop_reduce, stop_exit, recovery, approval,
        regime, retired, price_returned, cash, rule_fault, or the kind of a sleeve's own event.
    symbol
        The asset concerned, "" when it is the whole portfolio.
    level_before, level_after
        Drawdown levels around level_raised, level_lowered and approval; effective levels around the others.
    resolved_session
        The session that resolved the event, None while it lasts or where it was not looked for; not part of the event,
        so comparisons ignore it.
    """

    session: date
    kind: str
    symbol: str
    level_before: int
    level_after: int
    reason: str
    actions: tuple[str, ...] = ()
    resolved_session: date | None = field(default=None, compare=False)

    def open_at(self, session: date) -> bool:
        """Whether the event is unresolved after ``session``, as far as it is known."""
        return self.session <= session and (self.resolved_session is None or self.resolved_session > session)

    def as_dict(self) -> dict[str, Any]:
        """Return the event as JSON values, for reports."""
        return {
            "session": self.session.isoformat(),
            "kind": self.kind,
            "symbol": self.symbol,
            "reason": self.reason,
            "actions": list(self.actions),
            "resolved_session": self.resolved_session.isoformat() if self.resolved_session else None,
        }


@dataclass(frozen=True, slots=True)
class RiskState:
    """The state risk control carries from one session to the next.

    Attributes
    ----------
    level
        Drawdown level 0-4, without correlation floors.
    effective_level
        Highest of the drawdown level and the correlation floor that applied last.
    peak, reference_peak
        Highest net asset value ever, and the one drawdown is measured from, in dollars.
    calm_sessions
        Consecutive sessions with the model portfolio's 20-day volatility below target.
    awaiting_approval, approved
        At levels 3 and 4 the first is True until the operator has approved, which sets the second: buying safe havens
        at level 3, leaving level 4.
    question
        The session that asked for the approval, None unless one is awaited.
    ceilings
        Symbol -> largest quantity the last level action left; risk orders sell down to it.
    halved
        Symbols whose stop already halved the present position.
    cooling_off
        Symbol -> sessions left in which a stopped asset is not bought.
    recovery_sessions
        Sessions spent on the re-entry ladder, None outside recovery.
    floor
        Correlation floor of the session.
    regime
        Volatility regime of the session as text, "" before the first.
    correlated
        Pairs that correlate closely, as "SPY/QQQ"; see `pair_rules`.
    retired
        Symbols that have had no price for so long that they are neither bought nor sold.
    stop_state
        State of a stop rule -> symbol -> number, while the asset is held; see `trading_lib.risk.stops.stops`.
    """

    session: date
    level: int
    effective_level: int
    peak: float
    reference_peak: float
    calm_sessions: int = 0
    awaiting_approval: bool = False
    approved: bool = False
    ceilings: Mapping[str, Decimal] = field(default_factory=dict)
    halved: frozenset[str] = frozenset()
    cooling_off: Mapping[str, int] = field(default_factory=dict)
    recovery_sessions: int | None = None
    question: date | None = None
    floor: int = 0
    regime: str = ""
    correlated: frozenset[str] = frozenset()
    retired: frozenset[str] = frozenset()
    stop_state: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @classmethod
    def opened(cls, session: date, nav: float) -> RiskState:
        """Return the state of a book that has just been opened."""
        return cls(session=session, level=0, effective_level=0, peak=nav, reference_peak=nav)

    def after_flows(self, factor: float) -> RiskState:
        """Move both peaks like the net asset value, so that a flow is no drawdown and heals none.

        Parameters
        ----------
        factor
            Net asset value after the flows divided by that before them.
        """
        if factor == 1.0:
            return self
        return replace(self, peak=self.peak * factor, reference_peak=self.reference_peak * factor)


@dataclass(frozen=True, slots=True)
class RuleCeiling:
    """What a user's risk rule said of an asset.

    Attributes
    ----------
    rule
        As the configuration names it.
    before, weight
        The weight approved ahead of it, and the largest it allows.
    """

    rule: str
    symbol: str
    before: float
    weight: float
    reason: str

    @property
    def lowers(self) -> bool:
        """Whether it took anything."""
        return self.weight < self.before


@dataclass(frozen=True, slots=True)
class RiskAssessment:
    """The outcome of risk control in one session.

    Attributes
    ----------
    level, floor, effective_level
        Drawdown level, correlation floor, and the higher of both.
    drawdown
        From the reference peak, as a fraction.
    model_volatility
        Annualised 20-day volatility of the model portfolio; NaN when unknown.
    average_correlation, largest_correlation
        Over all pairs; NaN when fewer than two assets have 60 common sessions.
    weights
        Approved weights, shape (n,).
    may_increase
        Shape (n,): whether the asset may be bought at all.
    ceilings
        Shape (n,): largest quantity that may remain, +inf where unlimited; only risk orders enforce it.
    ceiling_reasons
        Symbol -> why a ceiling binds.
    minimum_confidence
        Confidence that a buy needs.
    leverage_limit
        Largest sum of weights.
    clips
        Symbol -> the rules of risk control that lowered its target weight, in the order they applied.
    rule_ceilings
        What rules of the user's own said, in their order.
    """

    level: int
    floor: int
    effective_level: int
    drawdown: float
    model_volatility: float
    average_correlation: float
    largest_correlation: float
    weights: FloatArray
    may_increase: BoolArray
    ceilings: FloatArray
    ceiling_reasons: Mapping[str, str]
    minimum_confidence: float
    leverage_limit: float
    next_state: RiskState
    events: tuple[RiskEvent, ...]
    clips: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    rule_ceilings: tuple[RuleCeiling, ...] = ()

    @property
    def rule_faults(self) -> tuple[str, ...]:
        """What was wrong with rules of the user's own."""
        return tuple(event.reason for event in self.events if event.kind == RULE_FAULT)
