"""Settings of a workflow test: the shipped configuration, a folder of its own, a fixed clock."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from trading_lib.adapters.files.include_folder import include_folder
from trading_lib.adapters.services.folders import StackFolders
from trading_lib.workflows.setup.configuration import load_configuration
from trading_lib.workflows.setup.settings import Settings

NOW = datetime(2026, 11, 20, 22, 0, tzinfo=UTC)


def make_settings(database_url: str, home: Path, now: datetime = NOW) -> Settings:
    """Build settings without reading the environment."""
    project = include_folder().parent
    return Settings(
        configuration=load_configuration(include_folder() / "config", {}),
        folders=StackFolders(home=home, project=project),
        database_url=database_url,
        clock=lambda: now,
    )
