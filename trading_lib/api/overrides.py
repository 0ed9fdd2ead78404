"""Values that a caller puts in the place of the configuration files'. Input: a dictionary. Output: dotted keys.

A dictionary may have the form of a sweep's points, ``{"risk.target_volatility": 0.1}``, or of the files themselves,
``{"risk": {"target_volatility": 0.1}}``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from os import PathLike, fspath
from typing import Any

import numpy as np

from trading_lib.domain.errors import ConfigurationError
from trading_lib.workflows.research.sweep.grid import SWEPT_FILES, GridPoint, listed_points

SLEEVES = "strategy.sleeves"
# The sleeves are one value: those that are given take the place of all that are configured.
WHOLE = (SLEEVES,)


def point_of(config: Mapping[str, Any], initial_cash: Any = None) -> GridPoint:
    """Return the values by dotted key, as a sweep's point.

    Raises
    ------
    ConfigurationError
        For a key that is in none of the files, or a value that no file could hold.
    """
    if not isinstance(config, Mapping):
        raise ConfigurationError(
            f"config of type {type(config).__name__} is none", "give a dictionary, e.g. {'risk.target_volatility': 0.1}"
        )
    values: dict[str, Any] = {}
    pairs = [pair for key, value in config.items() for pair in _dotted(key, value)]
    if initial_cash is not None:
        pairs.append(("execution.initial_cash", initial_cash))
    for key, value in pairs:
        if key in values:
            raise ConfigurationError(f"config: {key} is given twice", "keep one of them")
        values[key] = plain(value, key)
    return listed_points([values], "config")[0]


def _dotted(key: Any, value: Any) -> Iterator[tuple[Any, Any]]:
    parts = isinstance(value, Mapping) and isinstance(key, str) and key.split(".")[0] in SWEPT_FILES
    if not parts or key in WHOLE:
        yield key, value
        return
    for name, inner in value.items():
        yield from _dotted(f"{key}.{name}", inner)


def plain(value: Any, key: str) -> Any:
    """Return the value as YAML can hold it; numpy's numbers and arrays, decimals, paths and tuples among them."""
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(name): plain(inner, f"{key}.{name}") for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner, key) for inner in value]
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")  # as a file's 0.50 is 0.5, for the configuration's hash
    if isinstance(value, PathLike):
        return fspath(value)
    if value is None or isinstance(value, str | bool | int | float | date):
        return value
    raise ConfigurationError(
        f"config: {key} is a {type(value).__name__}, which no configuration file can hold",
        "give a number, a text, a list or a dictionary",
    )
