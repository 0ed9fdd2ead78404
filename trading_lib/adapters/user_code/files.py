"""Loads a user's strategy or risk rule from a file or from an installed module."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from trading_lib.adapters.user_code.guard import run_guarded
from trading_lib.adapters.user_code.watch import IMPORTED, belongs_to_user, install
from trading_lib.domain.errors import ConfigurationError, StrategyFaultError


@dataclass(frozen=True, slots=True)
class OwnStrategy:
    """What makes a user's strategy or rule: the class the configuration names, or another callable of its options.

    Attributes
    ----------
    digest
        Of its source, for the configuration's hash.
    """

    strategy: Callable[..., Any]
    digest: str


# An import may load large libraries; one that takes longer than this is taken for a loop.
IMPORT_SECONDS = 120.0


def load_strategy(
    reference: str,
    folder: Path,
    seconds: float = IMPORT_SECONDS,
    opened: Callable[[], AbstractContextManager[None]] = nullcontext,
    kind: str = "strategy",
) -> OwnStrategy:
    """Import the class ``reference`` names: ``file.py:Class`` in ``folder``, or ``package.module:Class``.

    What the module does while it is imported is noted; see `watch`.

    Parameters
    ----------
    opened
        Held while the file itself is read, for a process in which nothing else may be.
    kind
        What it is, for messages: "risk rule".

    Raises
    ------
    ConfigurationError
        Naming the file and what is wrong with it.
    """
    place, _, name = reference.partition(":")
    install()
    if place.endswith(".py"):
        with opened():
            source = _read(folder / place, kind)
        module = _from_file(folder / place, source, reference, seconds, kind)
    else:
        module = _from_module(place, reference, seconds, kind)
    strategy = getattr(module, name, None)
    if not isinstance(strategy, type):
        raise ConfigurationError(f"{place} has no class {name!r}", "name one of its classes after the colon")
    with opened():
        path = Path(module.__file__) if module.__file__ else None
        content = path.read_bytes() if path and path.is_file() else reference.encode()
    return OwnStrategy(strategy, hashlib.sha256(content).hexdigest())


def _read(path: Path, kind: str) -> bytes:
    if not path.is_file():
        raise ConfigurationError(f"{kind} file {path} does not exist", "put it there or correct the configuration")
    return path.read_bytes()


def _from_file(path: Path, source: bytes, reference: str, seconds: float, kind: str) -> ModuleType:
    name = f"own_strategies_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:8]}_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or not isinstance(spec.loader, SourceFileLoader):
        raise ConfigurationError(f"{path} is no Python file", "end its name with .py")
    belongs_to_user(str(path), reference)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up by name
    try:
        # Compiled from its text, never from a cache that may be older by less than the file system's clock shows.
        code = spec.loader.source_to_code(source, str(path))
    except (SyntaxError, ValueError) as error:
        line = f" (line {error.lineno})" if isinstance(error, SyntaxError) else ""
        text = error.msg if isinstance(error, SyntaxError) else str(error)
        raise _broken(kind, str(path), f"{type(error).__name__}: {text}{line}") from None
    try:
        run_guarded(reference, IMPORTED, seconds, exec, code, module.__dict__)
    except StrategyFaultError as error:
        raise _broken(kind, str(path), str(error)) from error
    return module


def _from_module(name: str, reference: str, seconds: float, kind: str) -> ModuleType:
    try:
        loaded = sys.modules.get(name)
        spec = loaded.__spec__ if loaded else importlib.util.find_spec(name)
        if spec is not None and spec.origin:
            belongs_to_user(spec.origin, reference)
        return cast(ModuleType, run_guarded(reference, IMPORTED, seconds, importlib.import_module, name))
    except StrategyFaultError as error:
        raise _broken(kind, name, str(error)) from error
    except Exception as error:  # a parent package that raises
        raise _broken(kind, name, f"{type(error).__name__}: {' '.join(str(error).split())}") from error


def _broken(kind: str, place: str, text: str) -> ConfigurationError:
    return ConfigurationError(f"{kind} {place} cannot be loaded: {text}", "correct it")
