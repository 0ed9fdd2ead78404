"""Loads a user's class: from a file in a folder of the configuration, or from an installed module."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from trading_lib.adapters.user_code.error_place import kind_and_line, user_line
from trading_lib.adapters.user_code.guard import NoExit, is_users_error
from trading_lib.domain.errors import ConfigurationError

# One for each file: a second thread that asks for it waits until it has been executed, and no other file's does.
_loading: dict[str, threading.Lock] = {}


def load_class(reference: str, folder: Path, kind: str) -> type[Any]:
    """Import the class ``reference`` names: ``file.py:Class`` in ``folder``, or ``package.module:Class``.

    Parameters
    ----------
    kind
        What it is, for messages: "broker".

    Raises
    ------
    ConfigurationError
        Naming the file and what is wrong with it.
    """
    place, _, name = reference.partition(":")
    module = _from_file(folder / place, kind) if place.endswith(".py") else _from_module(place, kind)
    loaded = getattr(module, name, None)
    if not isinstance(loaded, type):
        raise ConfigurationError(f"{place} has no class {name!r}", "name one of its classes after the colon")
    return loaded


def create_own(
    reference: str, kind: str, method: str, options: Sequence[tuple[str, Any]], folder: Path, see: str
) -> Any:
    """Create an object of a user's class; what it raises is told without its text, which could hold a key.

    Parameters
    ----------
    kind
        What it is, for messages: "notifier".
    method
        What it must have, as it is called: "send(message)".
    options
        Keyword arguments of the class.
    folder
        Where users' own files lie.
    see
        What to read, for messages.

    Raises
    ------
    ConfigurationError
        When it cannot be loaded or created, or lacks the method.
    """
    found = load_class(reference, folder, kind)
    if not callable(getattr(found, method.partition("(")[0], None)):
        raise ConfigurationError(f"{kind} {reference} has no method {method}", see)
    try:
        with NoExit():
            return found(**dict(options))
    except BaseException as error:
        if not is_users_error(error):
            raise
        names = ", ".join(name for name, _ in options) or "none"
        raise ConfigurationError(
            f"{kind} {reference} cannot be created ({kind_and_line(error)}; options: {names})",
            f"correct its class or its options, {see}",
        ) from None


def _from_file(path: Path, kind: str) -> ModuleType:
    if not path.is_file():
        raise ConfigurationError(f"{kind} file {path} does not exist", "put it there or correct the configuration")
    content = hashlib.sha256(str(path.resolve()).encode() + path.read_bytes()).hexdigest()[:12]
    name = f"own_{kind}_{content}_{path.stem}"
    with _loading.setdefault(name, threading.Lock()):
        return sys.modules[name] if name in sys.modules else _execute(name, path, kind)


def _execute(name: str, path: Path, kind: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ConfigurationError(f"{path} is no Python file", "end its name with .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up by name
    try:
        with NoExit():
            spec.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[name]
        if not is_users_error(error):
            raise
        raise _broken(kind, str(path), error) from None
    return module


def _from_module(name: str, kind: str) -> ModuleType:
    try:
        with NoExit():
            return importlib.import_module(name)
    except BaseException as error:
        if not is_users_error(error):
            raise
        raise _broken(kind, name, error) from None


def _broken(kind: str, place: str, error: BaseException) -> ConfigurationError:
    """Name the error and its line; only texts that cannot hold a key of the environment are told."""
    text = str(error.msg if isinstance(error, SyntaxError) else error)
    details = f": {' '.join(text.split())}" if isinstance(error, (SyntaxError, ImportError)) else ""
    line = error.lineno if isinstance(error, SyntaxError) else (user_line(error) or ("", None))[1]
    where = f" (line {line})" if line else ""
    return ConfigurationError(f"{kind} {place} cannot be loaded: {type(error).__name__}{details}{where}", "correct it")
