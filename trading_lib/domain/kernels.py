"""The one place that says how array kernels are compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

from numba import njit

P = ParamSpec("P")
R = TypeVar("R")


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile ``function`` with numba and cache the result on disk, keeping its signature for type checkers.

    The pure Python version stays reachable as ``function.py_func``; tests run both and compare.
    """
    return cast("Callable[P, R]", njit(cache=True)(function))


def python_version(kernel: Callable[..., Any]) -> Callable[..., Any]:
    """Return the uncompiled version of a kernel."""
    return cast("Callable[..., Any]", getattr(kernel, "py_func", kernel))
