"""The points of a sweep: dotted configuration keys and their values -> one configuration each.

A key is the name of a configuration file and the path inside it, e.g. ``strategy.signals.momentum_high`` or
``risk.levels.drawdowns``; the same models check its values as check the files.
"""

from __future__ import annotations

import itertools
import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from trading_lib.adapters.user_code.files import OwnStrategy
from trading_lib.domain.errors import ConfigurationError
from trading_lib.workflows.research.sweep.limits import grid_size
from trading_lib.workflows.setup.configuration import SystemConfiguration, load_configuration

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


CountCheck = Callable[[int], None]


def _any_number(points: int) -> None:
    """Refuse no number of points."""


def load_grid(path: Path, check_count: CountCheck = _any_number) -> tuple[GridPoint, ...]:
    """Read a grid file: a mapping of dotted keys to lists of values, or a list of single points.

    Parameters
    ----------
    check_count
        Called with the number of points before any is made; raises when they are too many.

    Raises
    ------
    ConfigurationError
        Naming the file, and the key that is wrong.
    """
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), _OneOfEachKey)  # noqa: S506 -- a SafeLoader
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read ({error.strerror})", "name an existing grid file") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationError(
            f"{path} is no valid YAML ({' '.join(str(error).split())[:120]})", "correct it"
        ) from None
    if isinstance(content, list) and content and all(isinstance(point, Mapping) for point in content):
        check_count(len(content))
        return listed_points(content, str(path))
    if not isinstance(content, Mapping) or not content:
        raise ConfigurationError(
            f"{path} holds no grid", "write dotted keys with lists, e.g. strategy.signals.momentum_high: [0.08, 0.10]"
        )
    return expand_grid(content, str(path), check_count=check_count)


class _OneOfEachKey(yaml.SafeLoader):
    """Refuses a key that stands twice in one mapping, of which the first would silently count for nothing."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        twice = next((key for key in keys if keys.count(key) > 1), None)
        if twice is not None:
            raise yaml.YAMLError(f"{twice} stands twice in it")
        return super().construct_mapping(node, deep)


def expand_grid(
    grid: Mapping[Any, Any],
    name: str = "the grid",
    start: int = 0,
    stop: int | None = None,
    check_count: CountCheck = _any_number,
) -> tuple[GridPoint, ...]:
    """Return every combination of the listed values, or those numbered from ``start`` up to ``stop``.

    Raises
    ------
    ConfigurationError
        When a key is none, has no list of values, or lists a value twice.
    """
    for key, values in grid.items():
        _check_key(key, name)
        if not isinstance(values, list) or not values:
            raise ConfigurationError(f"{name}: {key} needs a list of values, got {values!r}", "write [0.08, 0.10]")
    check_count(grid_size(grid))
    for key, values in grid.items():
        text, count = Counter(map(written, values)).most_common(1)[0]
        if count > 1:
            raise ConfigurationError(f"{name}: {key} lists {text} twice", "keep one of each")
    keys, combinations = list(grid), itertools.product(*grid.values())
    numbered = itertools.islice(enumerate(combinations), start, stop)
    return tuple(GridPoint(number, dict(zip(keys, values, strict=True))) for number, values in numbered)


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


def configuration_at(
    point: GridPoint,
    folder: Path,
    variables: Mapping[str, str],
    strategies: Mapping[str, OwnStrategy] | None = None,
) -> SystemConfiguration:
    """Return the configuration of ``folder`` with the point's values in it; an impossible one is an error.

    Parameters
    ----------
    variables
        The environment, whose own overrides the point's values override in turn.
    strategies
        See `load_configuration`.
    """
    overrides = {f"TRADING_{key.replace('.', '__').upper()}": written(value) for key, value in point.values.items()}
    others = {name: value for name, value in variables.items() if name.upper() not in overrides}
    try:
        return load_configuration(folder, {**others, **overrides}, strategies)
    except ConfigurationError as error:
        raise ConfigurationError(_by_keys(error.problem, point), _by_keys(error.remedy, point)) from None


def _by_keys(text: str, point: GridPoint) -> str:
    """Name a point's values by their keys: no variable of the environment holds them."""
    for key in sorted(point.values, key=len, reverse=True):
        text = text.replace(f"TRADING_{key.replace('.', '__').upper()}", key)
    return text


def written(value: Any) -> str:
    """Return a value as a configuration file would hold it, in one line."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    # One line: a long list must not be folded in two.
    return yaml.safe_dump(value, default_flow_style=True, width=math.inf).removesuffix("\n...\n").strip()
