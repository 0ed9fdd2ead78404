"""A user's strategy between the decision core and the user's code.

It is given copies, a limited time, and no way to end the process; what it does besides is noted. Whatever goes wrong
becomes a `StrategyFaultError` that names file and line, which the decision turns into an event.
"""

from __future__ import annotations

import math
import os
import threading
import traceback
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from trading_lib.adapters.user_code.error_place import user_line
from trading_lib.adapters.user_code.time_limit import TimeExceededError, time_limit
from trading_lib.adapters.user_code.watch import CONSTRUCTED, Watching, install
from trading_lib.domain.decision.sleeves import (
    SLEEVE_FAULT,
    PlannedStrategy,
    Rationale,
    SleeveEvent,
    SleeveTarget,
    SleeveView,
    Strategy,
)
from trading_lib.domain.errors import ConfigurationError, StrategyFaultError, StrategyUnusableError
from trading_lib.domain.market.market_view import MarketView
from trading_lib.domain.market.private_view import PrivateView, private_sleeve

# Imports and the first decision may compile and load libraries.
FIRST_TIMES = 3
# So many sessions in a row without an answer in time, and a run ends: each costs the whole limit.
TIMES_OUT = 3


class ProcessEndedError(BaseException):
    """The user's code asked for the end of the process."""


def run_guarded(
    strategy: str, when: str, seconds: float, function: Callable[..., Any], *arguments: Any, kind: str = "strategy"
) -> Any:
    """Call the user's code.

    Parameters
    ----------
    strategy, kind
        How the configuration names it, and what it is.

    Raises
    ------
    StrategyFaultError
        For whatever it raises, an end of the process, or no answer in time; with file and line.
    """
    with NoExit():
        try:
            with time_limit(seconds, f"{kind} {strategy}"), Watching(strategy, when):
                return function(*arguments)
        except TimeExceededError as error:
            raise _SlowError(f"no answer within {seconds:g} s{_place(error)}") from None
        except ProcessEndedError as error:
            raise StrategyFaultError(f"it asked for the end of the process (os._exit){_place(error)}") from None
        except SystemExit as error:
            raise StrategyFaultError(f"it asked for the end of the process (SystemExit){_place(error)}") from None
        except Exception as error:
            raise StrategyFaultError(f"{_words(error)}{_place(error)}") from error
        except BaseException as error:
            if not is_users_error(error):
                raise
            raise StrategyFaultError(f"{_words(error)}{_place(error)}") from None


class _SlowError(StrategyFaultError):
    """No answer in time."""


class NoExit:
    """Makes ``os._exit`` an exception in the thread of the block, for nothing could be told after it.

    Other threads may end the process as ever, e.g. a child that was forked meanwhile.
    """

    _lock = threading.Lock()
    _depth = threading.local()
    _blocks = 0
    _end_process = staticmethod(os._exit)

    def __enter__(self) -> None:
        with self._lock:
            NoExit._blocks += 1
            os._exit = _end
        self._depth.value = getattr(self._depth, "value", 0) + 1

    def __exit__(self, *_: object) -> None:
        self._depth.value -= 1
        with self._lock:
            NoExit._blocks -= 1
            if not NoExit._blocks:
                os._exit = self._end_process

    @classmethod
    def holds_here(cls) -> bool:
        """Whether this thread is in such a block."""
        return getattr(cls._depth, "value", 0) > 0


def _end(status: int = 0) -> Any:
    if NoExit.holds_here():
        raise ProcessEndedError(status)
    NoExit._end_process(status)


class Guarded:
    """Common to both kinds: the user's object, and how it is asked."""

    def __init__(self, made: Any, strategy: str, seconds: float, recipe: Recipe) -> None:
        self._made, self._strategy, self._seconds = made, strategy, seconds
        self._recipe = recipe
        self._allowed = FIRST_TIMES * seconds
        self._late = 0

    def _ask(self, method: str, view: MarketView, *more: SleeveView) -> Any:
        if elsewhere is not None:
            return elsewhere(self._recipe, method, view, *more)
        return self.ask_here(method, view, *more)

    def ask_here(self, method: str, view: MarketView, *more: SleeveView) -> Any:
        """Ask the object of this process; the answer holds nothing of the user's code any more."""
        private, sleeves = PrivateView.of(view), [private_sleeve(sleeve) for sleeve in more]
        when = f"while it decided {view.session}"
        try:
            target = run_guarded(self._strategy, when, self._allowed, _asked, self._made, method, private, *sleeves)
        except _SlowError as error:
            self._late += 1
            if self._late >= TIMES_OUT:
                raise StrategyUnusableError(
                    f"strategy {self._strategy}: {error}, {self._late} sessions in a row, the last {view.session}",
                    "correct it, or raise decision_seconds in strategy.yaml",
                ) from None
            raise
        finally:
            self._allowed = self._seconds
            private.end()
        self._late = 0
        if problem := answer_problem(target, method, len(view.universe)):
            raise StrategyFaultError(problem)
        return target


class GuardedTarget(Guarded):
    """A user's `Strategy`.

    Attributes
    ----------
    hedges
        Whether its spot holdings are sold short as perpetuals.
    """

    def __init__(self, made: Any, strategy: str, seconds: float, recipe: Recipe) -> None:
        super().__init__(made, strategy, seconds, recipe)
        self.hedges = bool(getattr(made, "hedges", False))

    def target(self, view: MarketView, sleeve: SleeveView) -> SleeveTarget:
        """See `Strategy`; the rationale is read at once, so that none of the user's code runs later."""
        target: SleeveTarget = self._ask("target", view, sleeve)
        return target


class GuardedPlan(Guarded):
    """A user's `PlannedStrategy`.

    Attributes
    ----------
    monthly
        Whether it plans on a month's last session only.
    """

    def __init__(self, made: Any, strategy: str, seconds: float, recipe: Recipe) -> None:
        super().__init__(made, strategy, seconds, recipe)
        self.monthly = bool(getattr(made, "monthly", False))

    def plan(self, view: MarketView) -> Any:
        """See `PlannedStrategy`."""
        return self._ask("plan", view)


class Recipe:
    """How a user's strategy is made: what another process needs to make it again.

    Attributes
    ----------
    reference, folder
        As `load_strategy` takes them.
    options
        Keyword arguments of the class.
    """

    def __init__(self, reference: str, folder: Path, options: Mapping[str, Any], seconds: float) -> None:
        self.reference, self.folder, self.options, self.seconds = reference, folder, dict(options), seconds


class Elsewhere(Protocol):
    """Asks a strategy made by the recipe in another process."""

    def __call__(self, recipe: Recipe, method: str, view: MarketView, *more: Any) -> Any:
        """Return the answer, or raise `StrategyFaultError`."""
        ...


# Set while an audit has its strategies decide where the history ends with the session.
elsewhere: Elsewhere | None = None


def guarded(strategy: Callable[..., Any], reference: str, folder: Path, seconds: float) -> Callable[..., Any]:
    """Return what makes a guarded strategy from options, as the class would an unguarded one."""
    install()

    def make(**options: Any) -> Any:
        recipe = Recipe(reference, folder, options, seconds)

        def create() -> Any:
            made = strategy(**options)  # its attributes are read here, too: they may be properties
            if isinstance(made, Strategy):
                return GuardedTarget(made, reference, seconds, recipe)
            if isinstance(made, PlannedStrategy):
                return GuardedPlan(made, reference, seconds, recipe)
            return made

        try:
            return run_guarded(reference, CONSTRUCTED, FIRST_TIMES * seconds, create)
        except StrategyFaultError as error:
            raise ConfigurationError(
                f"strategy {reference} cannot be created from {options}: {error}", "correct it or its options"
            ) from None

    return make


def _asked(made: Any, method: str, view: MarketView, *more: Any) -> Any:
    target = getattr(made, method)(view, *more)
    if isinstance(target, np.ndarray):
        return target.copy()
    if not isinstance(target, SleeveTarget):
        return target
    weights = target.weights.copy() if isinstance(target.weights, np.ndarray) else target.weights
    said, memory = _said(target), {name: _number(value) for name, value in dict(target.memory).items()}
    events = tuple(target.events)
    return replace(
        target, weights=weights, rationale=lambda: said, memory=memory, events=events, hedges=dict(target.hedges)
    )


def _number(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def answer_problem(answer: Any, method: str, assets: int) -> str:
    """Say what of an answer no later step could use, and what would differ once it was stored; "" for nothing."""
    if method == "plan":
        fits = answer is None or (_plain(answer) and answer.shape == (assets,) and answer.dtype == np.float64)
        return "" if fits else f"plan must answer with {assets} float64 weights or None, not {_described(answer)}"
    if not isinstance(answer, SleeveTarget):
        return ""  # the decision names what is wrong with it
    if isinstance(answer.weights, np.ndarray) and not _plain(answer.weights):
        return f"its weights must be a plain array, not {_described(answer.weights)}"
    for name, value in answer.memory.items():
        if not isinstance(name, str) or not isinstance(value, int | float) or not math.isfinite(value):
            return f"its memory holds {_described(name)}: {_described(value)}, where only finite numbers can be stored"
    for event in answer.events:
        if not isinstance(event, SleeveEvent) or not all(
            isinstance(text, str) for text in (event.kind, event.reason, event.symbol)
        ):
            return f"its events hold {_described(event)}, which is no SleeveEvent of texts"
        if event.kind == SLEEVE_FAULT:
            return f"its events hold one of the kind {SLEEVE_FAULT}, which is the system's own"
    return ""


def _plain(array: Any) -> bool:
    """Whether it is an array and no subclass, whose values may be masked."""
    return type(array) is np.ndarray


def _described(value: Any) -> str:
    """Name a value without calling a method of the user's."""
    if _plain(value):
        return f"{value.dtype} of shape {value.shape}"
    return f"{value!r:.40}" if type(value) in (str, int, float) else type(value).__name__


def _said(target: SleeveTarget) -> Rationale:
    try:
        return {str(symbol): str(reason) for symbol, reason in dict(target.rationale()).items()}
    except Exception as error:  # weights stand without a rationale; that it is missing is reported
        return {"": f"its rationale cannot be read: {_words(error)}{_place(error)}"}


def _words(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def _place(error: BaseException) -> str:
    """Name the innermost line of the user's, e.g. " (own.py, line 12)"."""
    place = user_line(error)
    return f" ({place[0]}, line {place[1]})" if place else ""


def is_users_error(error: BaseException) -> bool:
    """Whether it is the user's code that failed: an interruption from outside, such as Ctrl-C, is not."""
    if isinstance(error, Exception | SystemExit | ProcessEndedError):
        return True
    return not isinstance(error, KeyboardInterrupt) and _raised_by_user(error)


def _raised_by_user(error: BaseException) -> bool:
    from trading_lib.adapters.user_code.watch import is_users

    walk = [frame.filename for frame in traceback.extract_tb(error.__traceback__, limit=-1)]
    return bool(walk) and is_users(walk[-1])
