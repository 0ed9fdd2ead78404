"""`trading_lib.stress`: the strategy through crises, as `trading stress` runs them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any

import pandas as pd

from trading_lib.adapters.files.output_file import write_whole
from trading_lib.api.backtest import PricesLike, prices_of
from trading_lib.api.notebook import page
from trading_lib.api.setup import RUNNING, Setup
from trading_lib.api.strategies import StrategyLike
from trading_lib.workflows.research.stress import StressRun, choose_scenarios, load_stress, stress_source
from trading_lib.workflows.setup.source_choice import SIMULATED

KINDS = {
    "scenario": "str",
    "status": "str",
    "reason": "str",
    "from": "datetime64[us]",
    "to": "datetime64[us]",
    "max_drawdown": "float64",
    "limit": "float64",
    "total_return": "float64",
    "max_risk_level": "Int64",
    "passed": "bool",
}


class StressResult:
    """A finished stress test.

    Attributes
    ----------
    report
        All that ``trading stress --out`` writes.
    """

    def __init__(self, run: StressRun) -> None:
        self.run = run
        self.report: dict[str, Any] = dict(run.report)

    @property
    def passed(self) -> bool:
        """Whether every scenario could run and met its criteria."""
        return bool(self.report["passed"])

    @property
    def failures(self) -> tuple[str, ...]:
        """What was not met, one line each; empty where all was."""
        return tuple(self.report["failures"])

    @property
    def data_source(self) -> str:
        """Where the prices came from."""
        return str(self.report["data_source"])

    @property
    def simulated(self) -> bool:
        """Whether any of the prices is made up."""
        return SIMULATED in self.data_source.lower()

    @cached_property
    def scenarios(self) -> pd.DataFrame:
        """One row a scenario, indexed by its name.

        Columns: status (str, "run", or "absent" where the data do not cover it), reason (str), from, to
        (datetime64[us]), max_drawdown, limit, total_return (float64, fractions), max_risk_level (Int64, 0 to 4), passed
        (bool). What an absent scenario has no value of is missing (NaT, NaN, NA).
        """
        rows = [{"scenario": name, **outcome} for name, outcome in self.report["scenarios"].items()]
        frame = pd.DataFrame(rows, columns=list(KINDS)).astype(KINDS)
        return frame.set_index("scenario")

    def picture(self, path: str | PathLike[str] | None = None) -> bytes:
        """Draw the drawdowns as PNG, and write them to ``path`` where one is given."""
        content = self.run.picture()
        if path is not None:
            write_whole(Path(path), content)
        return content

    def page(self, path: str | PathLike[str] | None = None) -> str:
        """Make the report page, self-contained HTML, and write it to ``path`` where one is given."""
        content = self.run.page()
        if path is not None:
            write_whole(Path(path), content.encode())
        return content

    def __repr__(self) -> str:
        return f"<StressResult: {self._words}>"

    @property
    def _words(self) -> str:
        said = "SIMULATED prices" if self.simulated else f"prices of {self.data_source}"
        verdict = "passed" if self.passed else "FAILED: " + "; ".join(self.failures)
        return f"{len(self.report['scenarios'])} scenarios on {said}, {verdict}"

    def _repr_html_(self) -> str:
        figures = {
            str(name): f"drawdown {row.max_drawdown:.2%} of at most {row.limit:.2%}"
            if row.status == "run"
            else row.reason
            for name, row in self.scenarios.iterrows()
        }
        return page("Stress test", self._words, self.picture(), figures)


def stress(
    prices: PricesLike = None,
    strategy: StrategyLike = None,
    scenarios: str | Sequence[str] = (),
    config: Mapping[str, Any] | None = None,
    *,
    crisis_paths: bool = True,
) -> StressResult:
    """Run a strategy through crises, as they happened and made up; it is ``trading stress``.

    Parameters
    ----------
    prices, strategy, config
        As `backtest` takes them. Of prices all history counts, up to their ``end``.
    scenarios
        Names of those in stress.yaml that are wanted; all by default.
    crisis_paths
        Whether to draw paths from the crises for the tail as well, which takes longest.

    Returns
    -------
    StressResult
        With `StressResult.passed` and `StressResult.scenarios`.

    Raises
    ------
    InputError
        When there is no scenario of a name, or an argument is none; see `backtest`.

    Examples
    --------
    >>> import trading_lib as tl
    >>> result = tl.stress(scenarios=["covid_crash"], crisis_paths=False)
    >>> list(result.scenarios.index)
    ['covid_crash']
    """
    setup, criteria = Setup.of(strategy, config), load_stress()
    names = (scenarios,) if isinstance(scenarios, str) else scenarios
    choose_scenarios(criteria, names)  # an unknown name is told before anything is loaded
    with RUNNING:
        used, settings = prices_of(prices), setup.settings()
        run = stress_source(settings, criteria, used.loaded(settings), names, crisis_paths)
    return StressResult(run)
