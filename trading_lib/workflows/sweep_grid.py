"""The points of a sweep: dotted configuration keys and their values -> one configuration each.

A key is the name of a configuration file and the path inside it, e.g. ``strategy.signals.momentum_high`` or
``risk.levels.drawdowns``; the same models check its values as check the files.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from trading_lib.domain.errors import ConfigurationError
from trading_lib.workflows.configuration import SystemConfiguration, load_configuration

# Files whose values may differ between points: all share one market, and what reports are compared with changes none.
SWEPT_FILES = ("strategy", "risk", "execution")
KEY = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")


@dataclass(frozen=True, slots=True)
class GridPoint:
    """One combination of values.

    Attributes
    ----------
    number
        Place in the grid, from 0; the last key changes fastest.
    values
        Dotted key -> value.
    name
        What a list of points calls it; "" in a grid.
    """

    number: int
    values: Mapping[str, Any]
    name: str = ""


def load_grid(path: Path) -> tuple[GridPoint, ...]:
    """Read a grid file: a mapping of dotted keys to lists of values, or a list of single points.

    Raises
    ------
    ConfigurationError
        Naming the file, and the key that is wrong.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read ({error.strerror})", "name an existing grid file") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"{path} is no valid YAML ({' '.join(str(error).split())[:120]})", "correct it"
        ) from None
    if isinstance(content, list) and content and all(isinstance(point, Mapping) for point in content):
        return listed_points(content, str(path))
    if not isinstance(content, Mapping) or not content:
        raise ConfigurationError(
            f"{path} holds no grid", "write dotted keys with lists, e.g. strategy.signals.momentum_high: [0.08, 0.10]"
        )
    return expand_grid(content, str(path))


def expand_grid(grid: Mapping[Any, Any], name: str = "the grid") -> tuple[GridPoint, ...]:
    """Every combination of the listed values."""
    for key, values in grid.items():
        _check_key(key, name)
        if not isinstance(values, list) or not values:
            raise ConfigurationError(f"{name}: {key} needs a list of values, got {values!r}", "write [0.08, 0.10]")
    keys = list(grid)
    return tuple(
        GridPoint(number, dict(zip(keys, values, strict=True)))
        for number, values in enumerate(itertools.product(*grid.values()))
    )


def listed_points(points: Sequence[Mapping[Any, Any]], source: str = "the list") -> tuple[GridPoint, ...]:
    """Points that are written out one by one: dotted keys with one value each, and a ``name`` where one is wanted.

    A point without keys is the configuration as it stands.
    """
    listed = []
    for number, point in enumerate(points):
        values = {key: value for key, value in point.items() if key != "name"}
        for key in values:
            _check_key(key, source)
        listed.append(GridPoint(number, values, str(point.get("name") or "")))
    names = [point.name for point in listed if point.name]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ConfigurationError(f"{source}: two points are called {twice[0]!r}", "give each a name of its own")
    return tuple(listed)


def _check_key(key: Any, source: str) -> None:
    if not isinstance(key, str) or not KEY.fullmatch(key) or key.split(".")[0] not in SWEPT_FILES:
        raise ConfigurationError(
            f"{source}: {key!r} is no key of {', '.join(f'{file}.yaml' for file in SWEPT_FILES)}",
            "write the file's name and the path inside it, e.g. risk.target_volatility",
        )


def configuration_at(point: GridPoint, folder: Path, variables: Mapping[str, str]) -> SystemConfiguration:
    """Return the configuration of ``folder`` with the point's values in it; an impossible one is an error.

    Parameters
    ----------
    variables
        The environment, whose own overrides the point's values override in turn.
    """
    own = {f"TRADING_{key.replace('.', '__').upper()}": _written(value) for key, value in point.values.items()}
    others = {name: value for name, value in variables.items() if name.upper() not in own}
    return load_configuration(folder, {**others, **own})


def _written(value: Any) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    # One line: a long list must not be folded in two.
    return yaml.safe_dump(value, default_flow_style=True, width=math.inf).removesuffix("\n...\n").strip()
