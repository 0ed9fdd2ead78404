"""A caller's strategy as sleeves of the configuration: a name, a file, a class, an object, or several with budgets."""

from __future__ import annotations

import copy
import hashlib
import inspect
import pickle
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from trading_lib.adapters.user_code.files import OwnStrategy
from trading_lib.adapters.user_code.watch import belongs_to_user
from trading_lib.domain.decision.sleeves import PlannedStrategy, Strategy
from trading_lib.domain.errors import ConfigurationError
from trading_lib.strategies.registry import BUILT_IN

SEE = "see docs/research/python.md"
ADDRESS = re.compile(r" at 0x[0-9a-f]+")
# What a class has without its author's doing, or differs from one interpreter to the next.
OF_THE_INTERPRETER = frozenset({"__dict__", "__weakref__", "__module__", "__firstlineno__", "__static_attributes__"})
# What `trading_lib.backtest` takes as a strategy.
StrategyLike = str | type[Any] | Strategy | PlannedStrategy | Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Sleeves:
    """What runs.

    Attributes
    ----------
    values
        As strategy.yaml lists sleeves; empty where those of the configuration run.
    given
        Strategies that lie in no file, by the reference their sleeve has.
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    given: Mapping[str, OwnStrategy] = field(default_factory=dict)


def sleeves_of(strategy: StrategyLike) -> Sleeves:
    """Read a caller's ``strategy``; see `trading_lib.backtest`.

    Raises
    ------
    ConfigurationError
        When it is nothing that decides.
    """
    if strategy is None:
        return Sleeves()
    if isinstance(strategy, Mapping):
        return _several(strategy)
    return _several({sleeve_name(strategy): {"strategy": strategy, "budget": 1.0}})


def sleeve_name(strategy: Any) -> str:
    """Name the sleeve of a strategy that runs alone: LowVolatility becomes low_volatility."""
    if isinstance(strategy, str) and ":" not in strategy:
        return strategy
    kind = strategy if isinstance(strategy, type) else type(strategy)
    name = strategy.rpartition(":")[2] if isinstance(strategy, str) else kind.__name__
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    name = re.sub(r"[^a-z0-9_]", "", words).lstrip("_0123456789") or "own"
    return f"own_{name}" if name in BUILT_IN else name  # reports would call it like the system's


def _several(strategies: Mapping[str, Any]) -> Sleeves:
    values: dict[str, Any] = {}
    given: dict[str, OwnStrategy] = {}
    for name, entry in strategies.items():
        if not isinstance(entry, Mapping):
            values[name] = entry
            continue
        runs = entry.get("strategy", name)
        if isinstance(runs, str):
            values[name] = {**entry, "strategy": found_file(runs)}
            continue
        reference = _free(reference_of(runs), given)
        given[reference] = own_strategy(runs, reference)
        values[name] = {**entry, "strategy": reference}
    return Sleeves(values, given)


def found_file(reference: str) -> str:
    """Return ``file.py:Class`` with the file's whole path where it lies in the working folder.

    A file that does not is looked for in include/strategies, as the command line does.
    """
    place, colon, name = reference.partition(":")
    path = Path(place).expanduser()
    if not colon or not place.endswith(".py") or not path.is_file():
        return reference
    return f"{path.resolve()}:{name}"


def reference_of(strategy: Any) -> str:
    """Name a class or object as ``module:Class``."""
    kind = strategy if isinstance(strategy, type) else type(strategy)
    return f"{kind.__module__}:{kind.__qualname__}"


def _free(reference: str, taken: Mapping[str, Any]) -> str:
    names: Iterator[str] = (f"{reference}#{number}" for number in range(2, len(taken) + 3))
    return reference if reference not in taken else next(name for name in names if name not in taken)


def own_strategy(strategy: Any, reference: str) -> OwnStrategy:
    """Return what makes the strategy of a run.

    A class is constructed anew. An object is copied, so that one run leaves nothing behind for the next, and a copy
    answers in the second run what it answered in the first.

    Raises
    ------
    ConfigurationError
        When it has no method ``target`` or ``plan``, or cannot be copied.
    """
    kind = strategy if isinstance(strategy, type) else type(strategy)
    if not any(callable(getattr(kind, method, None)) for method in ("target", "plan")):
        raise ConfigurationError(
            f"strategy {strategy!r} has no method target(view, sleeve) or plan(view)", "see docs/research/strategies.md"
        )
    path = _file_of(kind)
    if path:
        belongs_to_user(path, reference)
    if isinstance(strategy, type):
        return OwnStrategy(strategy, hashlib.sha256(_source(kind)).hexdigest())
    _copied(strategy, reference)  # what cannot be copied is told before anything is loaded
    digest = hashlib.sha256(_source(kind) + b"\0" + _state(strategy)).hexdigest()
    return OwnStrategy(_copier(strategy, reference), digest)


def _copier(strategy: Any, reference: str) -> Callable[..., Any]:
    def make(**options: Any) -> Any:
        if options:
            raise TypeError("an object takes no options: give its class, or construct it with them")
        return _copied(strategy, reference)

    return make


def _copied(strategy: Any, reference: str) -> Any:
    try:
        return copy.deepcopy(strategy)
    except (Exception, SystemExit) as error:
        raise ConfigurationError(
            f"strategy {reference} cannot be copied: {type(error).__name__}: {' '.join(str(error).split())}",
            f"give its class, which every run constructs anew ({SEE})",
        ) from None


def _file_of(kind: type[Any]) -> str | None:
    try:
        return inspect.getsourcefile(kind)
    except (TypeError, OSError):  # typed into an interpreter that keeps no source
        return None


def _source(kind: type[Any]) -> bytes:
    """Return the text the class comes from: its file, or where it was typed into an interpreter what it is made of."""
    path = _file_of(kind)
    if path and Path(path).is_file():
        return Path(path).read_bytes()
    parts = (f"{name}: {_text(value)}" for name, value in sorted(vars(kind).items()) if name not in OF_THE_INTERPRETER)
    return "\n".join([reference_of(kind), *parts]).encode()


def _text(value: Any) -> str:
    """Return a function's text, or its code where its text is not kept; any other value as Python writes it."""
    function = getattr(value, "__func__", value)
    if not inspect.isfunction(function):
        return ADDRESS.sub("", repr(value))
    try:
        return inspect.getsource(function)
    except (TypeError, OSError):
        code = function.__code__
        return f"{code.co_code.hex()} {code.co_names} {ADDRESS.sub('', repr(code.co_consts))}"


def _state(strategy: Any) -> bytes:
    """Return what tells two objects of a class apart."""
    attributes = getattr(strategy, "__dict__", {})
    try:
        return pickle.dumps(sorted(attributes.items()), protocol=4)
    except Exception:  # what cannot be pickled may raise anything
        return ADDRESS.sub("", repr(sorted(attributes.items()))).encode()
