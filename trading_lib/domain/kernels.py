"""The one place that says how array kernels are compiled, and when a compiled one on disk is out of date."""

from __future__ import annotations

import hashlib
import inspect
import logging
from collections.abc import Callable
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast

from numba import njit
from numba.core import caching, config, event
from numba.np import linalg

logger = logging.getLogger(__name__)

PACKAGE = "trading_lib."

P = ParamSpec("P")
R = TypeVar("R")


class _Stamp:
    """What a kernel's machine code was made of; known once its module is imported, so not before somebody asks.

    Numba asks for it where the kernel is defined, which may be above the kernels that it calls.
    """

    def __init__(self, function: Callable[..., Any], sources: Any) -> None:
        self._function, self._own = function, sources

    @cached_property
    def value(self) -> tuple[Any, tuple[str, ...]]:
        """The kernel's own file and those of the kernels it calls."""
        called = called_sources(self._function)
        return self._own, tuple(hashlib.sha256(Path(file).read_bytes()).hexdigest() for file in called)

    def __eq__(self, other: object) -> bool:
        return self.value == other

    def __hash__(self) -> int:
        return hash(self.value)

    def __reduce__(self) -> Any:
        return tuple, (self.value,)


class _WithCalledSources:
    """Numba looks only at a kernel's own file, while its machine code holds that of the kernels it calls as well."""

    def __init__(self, function: Callable[..., Any], file: str) -> None:
        super().__init__(function, file)  # type: ignore[call-arg]
        self._function = function

    def get_source_stamp(self) -> Any:
        return _Stamp(self._function, super().get_source_stamp())  # type: ignore[misc]


class ChosenFolder(_WithCalledSources, caching.UserProvidedCacheLocator):
    """Cache in NUMBA_CACHE_DIR."""


class BesideSource(_WithCalledSources, caching.InTreeCacheLocator):
    """Cache in the __pycache__ of the kernel's folder."""


class OfUser(_WithCalledSources, caching.UserWideCacheLocator):
    """Cache in the user's own folder, where the package's cannot be written."""


if not config.CACHE_LOCATOR_CLASSES:  # type: ignore[attr-defined]
    names = [f"{__name__}.{cls.__name__}" for cls in (ChosenFolder, BesideSource, OfUser)]
    config.CACHE_LOCATOR_CLASSES = ",".join([*names, "IPythonCacheLocator", "ZipCacheLocator"])  # type: ignore[attr-defined]


_read_index = caching.IndexDataCacheFile._load_index


def _read_known_index(file: caching.IndexDataCacheFile) -> Any:
    """Read what is cached of a kernel; what names a type that its module no longer has is out of date, no failure."""
    try:
        return _read_index(file)  # type: ignore[no-untyped-call]
    except (AttributeError, ImportError):
        return {}


caching.IndexDataCacheFile._load_index = _read_known_index  # type: ignore[method-assign]


_ensure_blas = linalg.ensure_blas


def _ensure_blas_later() -> None:
    """Answer numba, which asks as it starts whether scipy is there, without loading scipy for a tenth of a second.

    A kernel that multiplies matrices asks again while it is compiled; one read from disk loads what it calls.
    """
    linalg.ensure_blas = _ensure_blas
    if find_spec("scipy") is None:
        raise ImportError("scipy is required for linear algebra")


linalg.ensure_blas = _ensure_blas_later


KEPT = "compiling the rules, once after an installation or a change of theirs: up to a minute"
NOT_KEPT = "compiling the rules, up to a minute; set NUMBA_CACHE_DIR to a folder of your own to do it only once"


class FirstCompilation(event.Listener):
    """Says once a process that kernels are being compiled: a run of a second then takes up to a minute."""

    said = False
    # Whether there is a folder that the machine code can be kept in.
    kept = True

    def on_start(self, event: event.Event) -> None:
        """Listen before a kernel is compiled; machine code read from disk is no event."""
        if not self.said and event.data["dispatcher"].py_func.__module__.startswith(PACKAGE):
            self.said = True
            logger.info(KEPT if self.kept else NOT_KEPT)

    def on_end(self, event: event.Event) -> None:
        """Stay silent: a kernel's end is followed by the next one's start."""


event.register("numba:compile", FirstCompilation())  # type: ignore[no-untyped-call]


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile ``function`` with numba and cache the result on disk, keeping its signature for type checkers.

    The pure Python version stays reachable as ``function.py_func``; tests run both and compare.
    """
    return _compiled(function)


def compiled_without_traps(function: Callable[P, R]) -> Callable[P, R]:
    """Compile like `compiled`; a division by zero gives infinity or NaN, as in numpy, instead of an error.

    Without the question whether a divisor is zero, a loop of divisions does several at a time.
    """
    return _compiled(function, error_model="numpy")


def inlined(function: Callable[P, R]) -> Callable[P, R]:
    """Compile ``function`` like `compiled`, as a part of every kernel that calls it.

    For parts of a long kernel that share many arrays: handing those over would cost more than the work.
    """
    return _compiled(function, inline="always")


def _compiled(function: Callable[P, R], **options: Any) -> Callable[P, R]:
    try:
        return cast("Callable[P, R]", njit(cache=True, **options)(function))
    except RuntimeError as error:
        if "no locator" not in str(error):
            raise
        # Neither this folder nor the user's own can be written: slower every time, but no reason to do nothing.
        FirstCompilation.kept = False
        return cast("Callable[P, R]", njit(**options)(function))


def called_sources(function: Callable[..., Any]) -> tuple[str, ...]:
    """Other files with kernels that ``function``, not yet compiled, or one of its kernels calls."""
    functions: set[Callable[..., Any]] = set()
    waiting = [function]
    while waiting:
        callee = waiting.pop()
        if callee not in functions:
            functions.add(callee)
            # Names of constants and modules are among them; only a kernel has a Python version.
            named = (callee.__globals__.get(name) for name in callee.__code__.co_names)
            waiting += [plain for called in named if (plain := getattr(called, "py_func", None)) is not None]
    return tuple(sorted({inspect.getfile(callee) for callee in functions} - {inspect.getfile(function)}))


def python_version(kernel: Callable[..., Any]) -> Callable[..., Any]:
    """Return the uncompiled version of a kernel."""
    return cast("Callable[..., Any]", getattr(kernel, "py_func", kernel))
