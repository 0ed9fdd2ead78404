"""The plan of a DAG run: prices, days and book, settled by its first task for all that follow.

As JSON they have the keys that runs of earlier versions left, so a run that began before an upgrade goes on after it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field

STRICT = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionPlan:
    """What a run of market_data or trade_daily is about.

    Attributes
    ----------
    source
        As asked for, e.g. "files" or "chain".
    source_name
        Under which the source stores its rows, e.g. "files:market-data".
    data
        Folder of prices, None where the source reads none.
    groups
        What the source is asked for, one ingest task each.
    received_at
        When the data that started a run of trade_daily came; None where no data did.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    session: date
    source: str
    source_name: str
    data: str | None
    book: str
    groups: tuple[str, ...] = ()
    received_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StopCheckPlan:
    """What a run on a day without a session is about.

    Attributes
    ----------
    day
        The day whose stops are checked.
    session
        The session before it, and book and prices; ``groups`` hold what trades every day.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    day: date
    session: SessionPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class BacktestPlan:
    """Window, prices and strategy of a run of the DAG backtest.

    Attributes
    ----------
    prices
        Name of the source, for the run's note.
    sleeves
        Strategy -> share in place of the configured ones; None for those.
    strategy
        What the strategy is called in the run's note.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    first: Annotated[date, Field(alias="from")]
    last: Annotated[date, Field(alias="to")]
    data: str | None
    prices: str
    sleeves: Mapping[str, Any] | None
    strategy: str

    @property
    def folder(self) -> Path | None:
        """The folder of prices, if it is one."""
        return Path(self.data) if self.data else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioPlan:
    """One scenario of a stress test, and the prices it runs on."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    scenario: str
    data: str | None
    prices: str

    @property
    def folder(self) -> Path | None:
        """The folder of prices, if it is one."""
        return Path(self.data) if self.data else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkPlan:
    """Some points of a sweep: those from ``start`` to before ``stop`` of the grid's.

    Attributes
    ----------
    grid
        Configuration key -> its values.
    sweep
        Digest of window, prices, grid and configuration, under which points are stored.
    label
        What Airflow calls the task.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    first: Annotated[date, Field(alias="from")]
    last: Annotated[date, Field(alias="to")]
    data: str | None
    grid: Mapping[str, Any]
    sweep: str
    prices: str
    start: int
    stop: int
    label: str

    @property
    def folder(self) -> Path | None:
        """The folder of prices, if it is one."""
        return Path(self.data) if self.data else None
