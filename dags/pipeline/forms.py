"""What the DAGs share beside their tasks: the asset, the fields of their forms, their pages.

An asset stands for stored rows; its events carry ids and never data.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from airflow.sdk import Asset, Param

from trading_lib.adapters.sources.catalogue import TITLES
from trading_lib.domain.errors import TradingError

if TYPE_CHECKING:
    from trading_lib.market_data.config import SourcesConfig

MARKET_DATA = Asset("market_data")
# What an event of the asset says; the last is Airflow's own, of events that somebody posts.
EVENT_KEYS = ("session", "source", "data", "book", "run_type", "received_at", "from_rest_api")


def optional_date(title: str, description: str, default: str | None = None) -> Param:
    """Return a field with a calendar that may stay empty."""
    return Param(default, type=["null", "string"], format="date", title=title, description_md=description)


def source_field() -> Param:
    """Return the choice of a source of market data."""
    return Param(
        None,
        type=["null", "string"],
        enum=[None, *TITLES, *_own_sources()],
        values_display={"None": f"default: {_default_source()}", **TITLES},
        title="Source",
        description_md="Where prices come from. The default is `default` in `include/config/sources.yaml`"
        f", now **{_default_source()}**; a folder below alone means `files`.",
    )


def folder_field() -> Param:
    """Return the field of a folder of prices."""
    return Param(
        None,
        type=["null", "string"],
        title="Data folder",
        description_md="Folder of CSV or Parquet prices on the machine that runs the tasks; a relative one lies in the"
        f" project. Empty: the configured default, now **{_default_source()}**. In a backfill it"
        " counts only with *Override parameters on existing runs* ticked.",
    )


def book_field() -> Param:
    """Return the field of a book."""
    return Param(
        None,
        type=["null", "string"],
        title="Book",
        description_md="Empty: `demo` on simulated prices, else `paper`. Simulated prices need a name that begins with"
        " `demo`.",
    )


def watched_book_field() -> Param:
    """Return the field of a book whose orders are watched."""
    return Param(
        None,
        type=["null", "string"],
        title="Book",
        description_md="Empty: all books that have orders at a real broker.",
    )


def scenarios_field() -> Param:
    """Return the choice of scenarios: those of stress.yaml."""
    return Param(
        None,
        type=["null", "array"],
        items={"type": "string"},
        examples=_scenarios(),
        title="Scenarios",
        description_md="Any of `include/config/stress.yaml`. Empty: all of them.",
    )


def page(file: str) -> str:
    """Return the page about the DAG of ``file``, which lies in the folder docs beside it."""
    path = Path(file)
    return (path.parent / "docs" / f"{path.stem}.md").read_text(encoding="utf-8")


def _default_source() -> str:
    """Say what the configuration calls the default."""
    sources = _sources()
    if sources is None:
        return "as configured"
    default = sources.default
    return f"files in {default.folder}" if default.kind == "files" else default.kind


def _sources() -> SourcesConfig | None:
    """Read sources.yaml; a broken one is told by the run that needs it."""
    from trading_lib.market_data.config import SourcesConfig
    from trading_lib.workflows.setup.configuration import load_file
    from trading_lib.workflows.setup.settings import configuration_folder

    try:
        return load_file(configuration_folder(os.environ) / "sources.yaml", SourcesConfig, os.environ)
    except TradingError:
        return None


def _own_sources() -> tuple[str, ...]:
    """Name the classes of the user's own that sources.yaml names."""
    sources = _sources()
    return sources.own_names if sources else ()


def _scenarios() -> list[str]:
    from trading_lib.workflows.research.stress import load_stress

    try:
        return [scenario.name for scenario in load_stress().scenarios]
    except TradingError:
        return []
