"""The one place that says how array kernels are compiled, and when a compiled one on disk is out of date."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

from numba import njit
from numba.core import caching, config

P = ParamSpec("P")
R = TypeVar("R")

# Attribute of a kernel's Python function: the source files of the kernels of other modules it calls.
CALLED_SOURCES = "kernel_sources"


class _WithCalledSources:
    """Numba looks only at a kernel's own file, while its machine code holds that of the kernels it calls as well."""

    def __init__(self, function: Callable[..., Any], file: str) -> None:
        super().__init__(function, file)  # type: ignore[call-arg]
        self._called: tuple[str, ...] = getattr(function, CALLED_SOURCES, ())

    def get_source_stamp(self) -> Any:
        own = super().get_source_stamp()  # type: ignore[misc]
        if not self._called:
            return own
        return own, tuple(hashlib.sha256(Path(file).read_bytes()).hexdigest() for file in self._called)


class ChosenFolder(_WithCalledSources, caching.UserProvidedCacheLocator):
    """Cache in NUMBA_CACHE_DIR."""


class BesideSource(_WithCalledSources, caching.InTreeCacheLocator):
    """Cache in the __pycache__ of the kernel's folder."""


class OfUser(_WithCalledSources, caching.UserWideCacheLocator):
    """Cache in the user's own folder, where the package's cannot be written."""


if not config.CACHE_LOCATOR_CLASSES:  # type: ignore[attr-defined]
    names = [f"{__name__}.{cls.__name__}" for cls in (ChosenFolder, BesideSource, OfUser)]
    config.CACHE_LOCATOR_CLASSES = ",".join([*names, "IPythonCacheLocator", "ZipCacheLocator"])  # type: ignore[attr-defined]


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile ``function`` with numba and cache the result on disk, keeping its signature for type checkers.

    The kernels it calls must be defined or imported before it. The pure Python version stays reachable as
    ``function.py_func``; tests run both and compare.
    """
    setattr(function, CALLED_SOURCES, _called_sources(function))
    return cast("Callable[P, R]", njit(cache=True)(function))


def inlined(function: Callable[P, R]) -> Callable[P, R]:
    """Compile ``function`` like `compiled`, as a part of every kernel that calls it.

    For parts of a long kernel that share many arrays: handing those over would cost more than the work.
    """
    setattr(function, CALLED_SOURCES, _called_sources(function))
    return cast("Callable[P, R]", njit(cache=True, inline="always")(function))


def _called_sources(function: Callable[..., Any]) -> tuple[str, ...]:
    own = inspect.getfile(function)
    files: set[str] = set()
    for name in function.__code__.co_names:
        called = getattr(function.__globals__.get(name), "py_func", None)
        if called is not None:
            files |= {inspect.getfile(called), *getattr(called, CALLED_SOURCES, ())}
    return tuple(sorted(files - {own}))


def python_version(kernel: Callable[..., Any]) -> Callable[..., Any]:
    """Return the uncompiled version of a kernel."""
    return cast("Callable[..., Any]", getattr(kernel, "py_func", kernel))
