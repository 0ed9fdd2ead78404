"""The source of a run: by name, from a folder, or the default of sources.yaml."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from trading_lib.adapters.sources.catalogue import TITLES, is_own
from trading_lib.adapters.sources.registry import create_source, stored_name
from trading_lib.domain.errors import ConfigurationError, InputError, one_of
from trading_lib.market_data.chain import CHAIN
from trading_lib.market_data.source import MarketDataSource
from trading_lib.workflows.setup.settings import Settings

SIMULATED = "simulated"
FILES = "files"
# What --source and the forms of the DAGs take.
CHOICES = tuple(TITLES)
FOLDER_KEY = "default.folder of sources.yaml (or TRADING_SOURCES__DEFAULT__FOLDER)"
SOURCE_KEY = "default.source of sources.yaml (or TRADING_SOURCES__DEFAULT__SOURCE)"


@dataclass(frozen=True, slots=True)
class SourceChoice:
    """A source by name, and the folder it reads if it reads one."""

    kind: str
    folder: Path | None

    @property
    def folder_name(self) -> str | None:
        """The folder as plans carry it."""
        return str(self.folder) if self.folder else None


def choose_source(source: str | None, data: str | Path | None, settings: Settings) -> SourceChoice:
    """Choose by what was asked for, else by the configuration.

    A folder alone means the source "files"; neither a source nor a folder means ``default`` of sources.yaml.

    Raises
    ------
    ConfigurationError
        When the configured folder is needed and is none.
    InputError
        When there is no such source, or it reads no folder and one is given.
    """
    if source is not None and is_own(source):
        stored_name(source)  # a class that cannot be used is told before anything is done
    elif source is not None and source not in CHOICES:
        remedy = f"{one_of(source, CHOICES)}, or file.py:Class for a source of your own (docs/data/sources.md)"
        raise InputError(f"unknown source {source!r}", remedy)
    if source is not None and is_own(source) and data:
        raise InputError(f"source {source} reads no folder, so {data} would count for nothing", "leave one out")
    if source == SIMULATED and data:
        raise InputError(f"the simulated market reads no folder, so {data} would count for nothing", "leave one out")
    default = settings.configuration.sources.default
    if data:
        return SourceChoice(source or FILES, Path(data))
    kind = source or default.kind
    if kind != FILES or not default.folder:
        return SourceChoice(kind, None)
    return SourceChoice(FILES, _configured_folder(default.folder, settings))


def _configured_folder(named: str, settings: Settings) -> Path:
    folder = settings.folders.project / Path(named).expanduser()
    if not folder.is_dir():
        problem = "is not a folder" if folder.exists() else "does not exist"
        raise ConfigurationError(f"{FOLDER_KEY} names {folder}, which {problem}", "correct it, or give a folder")
    return folder


def offline_source(kind: str, data: str | Path | None, settings: Settings) -> MarketDataSource:
    """Create a source by itself, without the cache and circuit breakers that need the database."""
    active = settings.configuration
    return create_source(kind, active.universe, Path(data) if data else None, limits=active.sources.files)


def research_source(data: Path | None, settings: Settings) -> MarketDataSource:
    """Create the source of a run that needs no database: a folder, or the configured default.

    Raises
    ------
    InputError
        When the default is the chain of sources, which is read through the database.
    """
    chosen = choose_source(None, data, settings)
    if chosen.kind == CHAIN:
        raise InputError(
            f"{SOURCE_KEY} is {CHAIN}, which is read session by session through the database",
            "give a folder with --data (in a DAG's form: data)",
        )
    return offline_source(chosen.kind, chosen.folder, settings)
