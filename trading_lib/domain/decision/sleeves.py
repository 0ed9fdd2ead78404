"""The interface of a strategy: what it is given and what it returns. A user's own strategy needs only this module."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from trading_lib.domain.decision.signals import RegimeReading, SignalPanel
from trading_lib.domain.market.market_view import MarketView
from trading_lib.domain.market.prices import FloatArray

# How the reason of a "defence" event begins when the defence is over.
DEFENCE_ENDS = "defence ends"


# Kind of the event of a strategy that failed; its reason ends with what was wrong, after the first colon.
SLEEVE_FAULT = "sleeve_fault"

# Symbol -> reason for its weight; "" is the reason for the sleeve as a whole.
Rationale = Mapping[str, str]


def no_rationale() -> Rationale:
    """Return an empty rationale."""
    return {}


@dataclass(frozen=True, slots=True)
class SleeveEvent:
    """An event of a sleeve for the operator, e.g. a switch to defence; it is stored with the risk events.

    Attributes
    ----------
    kind
        One word, e.g. "defence".
    """

    kind: str
    reason: str
    symbol: str = ""


@dataclass(frozen=True, slots=True)
class SleeveView:
    """The state of a sleeve, n assets in universe order; weights are shares of the sleeve's capital.

    Attributes
    ----------
    held
        Shape (n,): the sleeve's part of the holdings.
    wanted
        Shape (n,): its last target, moved by the returns since; zeros at first. A stopped asset is no longer wanted
        beyond what is left of it.
    memory
        The numbers of its last `SleeveTarget.memory`.
    regime, signals
        Of the session.
    budget
        The sleeve's capital as a share of net asset value.
    hedged
        Perpetual -> what is sold short of it, as a share of the sleeve's capital; only a sleeve that hedges sees it.
    """

    held: FloatArray
    wanted: FloatArray
    memory: Mapping[str, float]
    regime: RegimeReading
    signals: SignalPanel
    budget: float = 1.0
    hedged: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SleeveTarget:
    """The target of a sleeve in one session.

    Attributes
    ----------
    weights
        Shape (n,): shares of the sleeve's capital, finite, none negative, their sum at most 1 unless leverage is meant.
    rationale
        Called only where reasons are read; returns symbol -> why, with the numbers behind the weight.
    memory
        Numbers to carry to the next session.
    hedges
        Perpetual -> share of the sleeve's capital to be sold short of it, together at most its spot asset's weight.
        Only a strategy with a true attribute ``hedges`` may have any.
    """

    weights: FloatArray
    rationale: Callable[[], Rationale] = no_rationale
    memory: Mapping[str, float] = field(default_factory=dict)
    events: tuple[SleeveEvent, ...] = ()
    hedges: Mapping[str, float] = field(default_factory=dict)

    @property
    def fault(self) -> str:
        """Why the strategy failed, so that its previous target stays; "" when it did not."""
        return next((event.reason.split(": ", 1)[1] for event in self.events if event.kind == SLEEVE_FAULT), "")


@runtime_checkable
class Strategy(Protocol):
    """Market view -> target weights with reasons. Pure: no clock, no I/O, no state but `SleeveView`."""

    def target(self, view: MarketView, sleeve: SleeveView) -> SleeveTarget:
        """Decide one session of the sleeve."""
        ...


@runtime_checkable
class PlannedStrategy(Protocol):
    """Market view -> weights, independent of the holdings: simpler than a `Strategy`, and much faster in a backtest.

    A true attribute ``monthly`` says that it plans only on the last session of a month.
    """

    def plan(self, view: MarketView) -> FloatArray | None:
        """Weights, shape (n,), as shares of the sleeve's capital; None where the last ones stand."""
        ...


@dataclass(frozen=True, slots=True)
class SleeveRecord:
    """A sleeve's decision and the holdings behind it, from which the next session starts.

    Attributes
    ----------
    held
        Shape (n,): `SleeveView.held` of that session.
    budget
        Its share of the investable capital.
    """

    target: SleeveTarget
    held: FloatArray
    budget: float
