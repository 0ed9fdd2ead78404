"""Size and duration of a sweep, computed without listing its points."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from datetime import date
from typing import Any

from pydantic import Field

from trading_lib.domain.configuration import Configuration
from trading_lib.domain.errors import InputError
from trading_lib.domain.market.sessions import exchange_sessions
from trading_lib.workflows.setup.configuration_file import load_file
from trading_lib.workflows.setup.settings import configuration_folder

FILE = "sweep.yaml"
UNITS = (("year", 365 * 86_400), ("day", 86_400), ("hour", 3_600), ("minute", 60))


class SweepConfig(Configuration):
    """sweep.yaml.

    Attributes
    ----------
    most_points, most_points_confirmed
        Largest sweep, and the largest where somebody says so.
    session_seconds
        Of one point and session, for an estimate.
    """

    most_points: int = Field(default=5_000, ge=1)
    most_points_confirmed: int = Field(default=50_000, ge=1)
    session_seconds: float = Field(default=0.00005, gt=0, le=60)


def load_limits(environment: Mapping[str, str] | None = None) -> SweepConfig:
    """Read sweep.yaml of the configuration folder; a folder without one has the built-in limits."""
    variables = os.environ if environment is None else environment
    path = configuration_folder(variables) / FILE
    return load_file(path, SweepConfig, variables) if path.exists() else SweepConfig()


def grid_size(grid: Mapping[Any, Any]) -> int:
    """Return the number of combinations of a grid's values."""
    return math.prod(len(values) for values in grid.values())


def check_size(
    points: int, first: date, last: date, config: SweepConfig, processes: int | None = None, asked: int | None = None
) -> None:
    """Refuse a sweep that is larger than wanted, with its size and an estimate of its time.

    Parameters
    ----------
    asked
        The largest somebody has asked for, None for the usual limit.
    """
    if asked is not None and asked > config.most_points_confirmed:
        raise InputError(
            f"at most {config.most_points_confirmed:,} points can be asked for, not {asked:,}",
            f"raise most_points_confirmed in {FILE} if the memory suffices",
        )
    limit = config.most_points if asked is None else asked
    if points <= limit:
        return
    count = processes or os.cpu_count() or 1
    seconds = points * len(exchange_sessions().between(first, last)) * config.session_seconds / count
    more = f", or go on with --max-points {points}" if points <= config.most_points_confirmed else ""
    raise InputError(
        f"the grid has {points:,} points, about {duration(seconds)} with {count} at once; at most {limit:,} are run",
        f"leave out values{more}",
    )


def duration(seconds: float) -> str:
    """Return a duration in the unit a person would use."""
    for name, length in UNITS:
        if seconds >= 2 * length:
            count = round(seconds / length)
            return f"{count:,} {name}s"
    return f"{max(1, round(seconds))} seconds"
