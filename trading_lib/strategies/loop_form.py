"""What a strategy says of itself so that the compiled loop can trade it.

A strategy that answers `loop_form` runs in the loop of a backtest; one that lacks it is traded session by session,
which gives the same at a tenth of the speed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, runtime_checkable

from trading_lib.domain.market.instruments import Universe
from trading_lib.domain.market.market_view import MarketView
from trading_lib.domain.market.prices import BoolArray, FloatArray

# The rules that the loop has kernels of: sized signals, confirmed signals, bounded monthly moves, a plan as it is.
SIGNALS, CONFIRMED_SIGNALS, MONTHLY_MOVE, MARKET_ONLY = range(4)


class MonthlyChoice(NamedTuple):
    """What a monthly plan chose; shapes (n,), see `MonthPlan`.

    Attributes
    ----------
    event
        Whether there is something to tell of it.
    """

    kept: BoolArray
    defence: BoolArray
    stays: bool
    defensive: bool
    event: bool


class SessionPlan(NamedTuple):
    """What a strategy wants of a session whatever is held.

    Attributes
    ----------
    shares
        Shape (n,): shares of the sleeve's capital.
    """

    shares: FloatArray
    choice: MonthlyChoice | None = None


def no_plan(view: MarketView) -> SessionPlan | None:
    """Plan nothing: the strategy goes by the session's signals alone."""
    return None


def nothing_remembered(universe: Universe) -> tuple[str, ...]:
    """Return the names of what a strategy without a memory remembers."""
    return ()


@dataclass(frozen=True, slots=True)
class LoopForm:
    """A strategy in numbers.

    Attributes
    ----------
    rules
        Which kernels decide: `SIGNALS` and its neighbours.
    numbers
        Up to three, in the order in which those kernels read them.
    remembers
        Universe -> names of the numbers in `SleeveTarget.memory`, in the order of the loop's array.
    plan
        A session's part that depends on the market alone; None where the last target stands.
    monthly
        Whether there is a plan only on the last session of a month.
    """

    rules: int
    numbers: tuple[float, ...] = ()
    remembers: Callable[[Universe], tuple[str, ...]] = nothing_remembered
    plan: Callable[[MarketView], SessionPlan | None] = no_plan
    monthly: bool = False


@runtime_checkable
class Loopable(Protocol):
    """A strategy that the compiled loop can trade."""

    def loop_form(self) -> LoopForm:
        """Say what the loop needs to know."""
        ...


def loop_form_of(strategy: Any) -> LoopForm | None:
    """Return what a strategy says of itself; None when it does not.

    A class that overrides ``target`` does not inherit what its base says: the loop would trade the base instead.
    """
    if not isinstance(strategy, Loopable):
        return None
    nearest = next(cls for cls in type(strategy).__mro__ if {"target", "loop_form"} & vars(cls).keys())
    return strategy.loop_form() if "loop_form" in vars(nearest) else None
