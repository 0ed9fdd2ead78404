"""Run compiled kernels as the Python they were written in: what the compiler does then shows as a difference."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def interpreted() -> Iterator[None]:
    """Replace every kernel of the package by its Python version, wherever it has been imported."""
    with pytest.MonkeyPatch.context() as patch:
        for name, module in list(sys.modules.items()):
            if not name.startswith("trading_lib."):
                continue
            for attribute, value in list(vars(module).items()):
                plain = getattr(value, "py_func", None)
                if plain is not None:
                    patch.setattr(module, attribute, plain)
        yield
