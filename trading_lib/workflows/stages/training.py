"""Values that the tasks of the DAG train_models pass on, and show in Airflow; scores and data stay in files."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field

from trading_lib.learning.config import Window
from trading_lib.workflows.stages.plans import STRICT


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingPlan:
    """Window, prices and size of a training.

    Attributes
    ----------
    training
        Its id, by which its files are found.
    window
        In place of the configured one, None for that.
    prices
        Name of the source, for the run's note.
    splits
        How many there are.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    training: str
    first: Annotated[date, Field(alias="from")]
    last: Annotated[date, Field(alias="to")]
    data: str | None
    window: Window | None
    prices: str
    sessions: int
    rows: int
    splits: int

    @property
    def folder(self) -> Path | None:
        """The folder of prices, if it is one."""
        return Path(self.data) if self.data else None


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitPlan:
    """One split of a training, with what Airflow calls its task."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    training: str
    split: int
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingFigures:
    """What came of a training.

    Attributes
    ----------
    passed
        Kinds that passed.
    ic_mean
        Kind -> mean information coefficient out of sample.
    report
        File of the report.
    mlflow_run, url
        None where no server runs.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    passed: tuple[str, ...]
    ic_mean: dict[str, float | None]
    minimum_detectable_ic: float | None
    report: str
    mlflow_run: str | None
    url: str | None
