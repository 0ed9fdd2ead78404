"""A user's strategy from a file of theirs or from an installed module."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from trading_lib.domain.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class OwnStrategy:
    """A class that a sleeve names, and a digest of its source for the configuration's hash."""

    strategy: type[Any]
    digest: str


def load_strategy(reference: str, folder: Path) -> OwnStrategy:
    """Import the class ``reference`` names: ``file.py:Class`` in ``folder``, or ``package.module:Class``.

    Raises
    ------
    ConfigurationError
        Naming the file and what is wrong with it.
    """
    place, _, name = reference.partition(":")
    module = _from_file(folder / place) if place.endswith(".py") else _from_module(place)
    found = getattr(module, name, None)
    if not isinstance(found, type):
        raise ConfigurationError(f"{place} has no class {name!r}", "name one of its classes after the colon")
    source = Path(module.__file__) if module.__file__ else None
    content = source.read_bytes() if source and source.is_file() else reference.encode()
    return OwnStrategy(found, hashlib.sha256(content).hexdigest())


def _from_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise ConfigurationError(f"strategy file {path} does not exist", "put it there or correct strategy.yaml")
    name = f"own_strategies_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:8]}_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ConfigurationError(f"{path} is no Python file", "end its name with .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up by name
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise _broken(str(path), error) from error
    return module


def _from_module(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except Exception as error:
        raise _broken(name, error) from error


def _broken(place: str, error: Exception) -> ConfigurationError:
    text = " ".join(str(error).split())
    return ConfigurationError(f"strategy {place} cannot be loaded: {type(error).__name__}: {text}", "correct it")
