"""Values that the tasks of the research DAGs pass on, and show in Airflow."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field

from trading_lib.workflows.stages.plans import STRICT


@dataclass(frozen=True, slots=True, kw_only=True)
class BacktestFigures:
    """What a backtest comes to; returns and drawdown as fractions, money in US dollars.

    Attributes
    ----------
    warnings
        Where a strategy failed, or read what it may not.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    data_source: str
    sessions: int
    final_nav: float | str
    annual_return: float | None
    sharpe: float | None
    max_drawdown: float | None
    max_risk_level: int | None
    orders: int
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedRun:
    """A run in MLflow and its address; both None where no server runs.

    Attributes
    ----------
    page
        File of the page, for a stress test.
    """

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    run_id: str | None
    url: str | None
    page: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioFigures:
    """What `stress.scenario_report` says about one scenario, under its name."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    name: str
    kind: str
    limit: float
    first: Annotated[date | None, Field(alias="from")]
    last: Annotated[date | None, Field(alias="to")]
    status: str
    reason: str
    passed: bool | None
    max_drawdown: float | None
    max_risk_level: int | None
    total_return: float | None = None
    level_sessions: tuple[int, ...] = ()
    lead_sessions: int | None = None
    absent_assets: tuple[str, ...] = ()
    sleeve_faults: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkCounts:
    """How many points of a sweep a chunk ran, and how many of them ended well."""

    __pydantic_config__: ClassVar[ConfigDict] = STRICT

    sweep: str
    points: int
    ok: int
