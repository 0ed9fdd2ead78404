"""`trading_lib.sweep`: a backtest for every combination of configuration values, as `trading sweep` runs them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from html import escape
from numbers import Integral
from typing import Any

import pandas as pd

from trading_lib.api.backtest import PricesLike, prices_of, window_of
from trading_lib.api.days import Day
from trading_lib.api.overrides import plain
from trading_lib.api.setup import RUNNING
from trading_lib.domain.errors import ConfigurationError, InputError
from trading_lib.workflows.research.sweep.grid import GridPoint, expand_grid, listed_points
from trading_lib.workflows.research.sweep.report import summarise
from trading_lib.workflows.research.sweep.run import SweepResult, collected, run_points, task_on
from trading_lib.workflows.setup.settings import load_settings
from trading_lib.workflows.setup.source_choice import SIMULATED


class Sweep:
    """The points of a sweep, and what they say together.

    Attributes
    ----------
    result
        The points with the value of every session, for what is not published here.
    """

    def __init__(self, result: SweepResult) -> None:
        self.result = result

    @cached_property
    def points(self) -> pd.DataFrame:
        """One row a point, in the grid's order.

        Columns: point (int64), a column for each key of the grid, status and reason (str; "ok", or "failed" with the
        reason), the figures of docs/research/metrics.md (float64 or int64; NaN where one cannot be computed or the
        point failed), config_hash (str), elapsed_seconds (float64).
        """
        return pd.DataFrame([point.row() for point in self.result.results])

    @cached_property
    def summary(self) -> dict[str, Any]:
        """What ``trading sweep --json`` prints.

        Among it the best points, the best one's Sharpe ratio deflated by the number of points, and the probability that
        choosing it is overfitting.
        """
        return summarise(self.result)

    @property
    def simulated(self) -> bool:
        """Whether any of the prices is made up."""
        return SIMULATED in self.result.data_source.lower()

    def __repr__(self) -> str:
        said = "SIMULATED prices" if self.simulated else f"prices of {self.result.data_source}"
        window = f"{self.result.first} to {self.result.last}"
        return f"<Sweep: {len(self.result.results)} points on {said}, {window}, {self.result.count()} ok>"

    def _repr_html_(self) -> str:
        table: str = self.points.to_html(index=False)
        return f"<div><p>{escape(repr(self))}</p>{table}</div>"


def sweep(
    grid: Mapping[str, Sequence[Any]] | Sequence[Mapping[str, Any]],
    prices: PricesLike = None,
    start: Day | None = None,
    end: Day | None = None,
    *,
    processes: int = 1,
) -> Sweep:
    """Run a backtest for every point of a grid on one market; a point that fails leaves the others standing.

    Parameters
    ----------
    grid
        Configuration keys with lists of values, ``{"risk.target_volatility": [0.1, 0.15]}``, of which every combination
        is run; or a list of single points, each with one value a key and if you like a ``name``.
    prices, start, end
        As `backtest` takes them.
    processes
        How many run at once. More than one needs the script's work behind ``if __name__ == "__main__":``.

    Returns
    -------
    Sweep
        With `Sweep.points`, a DataFrame.

    Raises
    ------
    ConfigurationError
        When a key is in none of strategy.yaml, risk.yaml and execution.yaml, or has no list of values.
    SessionError
        When the data does not cover the window.

    Examples
    --------
    >>> import trading_lib as tl
    >>> result = tl.sweep({"risk.target_volatility": [0.1, 0.15]}, start="2018-01-02", end="2018-12-31")
    >>> len(result.points)
    2
    """
    points, settings = _points(grid), load_settings()
    count = _count(processes)
    with RUNNING:
        used = prices_of(prices, start, end)
        first, last = window_of(used, start, end)
        task = task_on(settings, used.loaded(settings, last).market, first, last)
        found = collected(task, run_points(task, points, count))
    return Sweep(found)


def _count(processes: Any) -> int | None:
    if processes is None:
        return None
    count = int(processes) if isinstance(processes, Integral) else 0
    if count < 1:
        raise InputError(f"processes {processes!r} is no number of processes", "give 1 or more, or leave it out")
    return count


def _points(grid: Any) -> tuple[GridPoint, ...]:
    given = plain(grid, "grid")
    if isinstance(given, dict) and given:
        return expand_grid(given)
    if isinstance(given, list) and given and all(isinstance(point, dict) for point in given):
        return listed_points(given)
    raise ConfigurationError(
        "the grid holds no point", "write dotted keys with lists, e.g. {'strategy.signals.momentum_high': [0.08, 0.10]}"
    )
