"""The loop form of a strategy: its rules and parameters as numbers, so that the compiled loop can trade it.

A strategy with a `loop_form` runs in the compiled loop of a backtest; one without is traded session by session, with
the same result at a tenth of the speed.
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
    """The assets a monthly plan selected; shapes (n,), see `MonthPlan`.

    Attributes
    ----------
    event
        Whether the plan is an event of the risk log.
    """

    kept: BoolArray
    defence: BoolArray
    stays: bool
    defensive: bool
    event: bool


class SessionPlan(NamedTuple):
    """Target weights of a session that do not depend on the holdings.

    Attributes
    ----------
    shares
        Shape (n,): shares of the sleeve's capital.
    """

    shares: FloatArray
    choice: MonthlyChoice | None = None


def no_plan(view: MarketView) -> SessionPlan | None:
    """Return no plan: the strategy uses the session's signals alone."""
    return None


def nothing_remembered(universe: Universe) -> tuple[str, ...]:
    """Return no names: the strategy has no memory."""
    return ()


@dataclass(frozen=True, slots=True)
class LoopForm:
    """A strategy as numbers.

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
        """Return the loop form."""
        ...


def loop_form_of(strategy: Any) -> LoopForm | None:
    """Return a strategy's loop form; None when it has none.

    A class that overrides ``target`` does not inherit what its base says: the loop would trade the base instead.
    """
    if not isinstance(strategy, Loopable):
        return None
    nearest = next(cls for cls in type(strategy).__mro__ if {"target", "loop_form"} & vars(cls).keys())
    return strategy.loop_form() if "loop_form" in vars(nearest) else None
