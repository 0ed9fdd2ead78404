"""Settings of a workflow: the shipped configuration, a folder of its own, a fixed clock, a chain of two vendors."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from tests.environment.moving_clock import MovingClock
from trading_lib.adapters.files.include_folder import include_folder
from trading_lib.adapters.services.folders import StackFolders
from trading_lib.adapters.sources.vendors.tiingo import TiingoSource
from trading_lib.adapters.sources.vendors.yahoo import YFinanceSource
from trading_lib.learning.config import EvidenceConfig, LearningConfig, LightgbmConfig, XgboostConfig
from trading_lib.market_data.config import Route, SourcesConfig
from trading_lib.workflows.data.sources import Members
from trading_lib.workflows.setup.configuration import load_configuration
from trading_lib.workflows.setup.settings import Settings

NOW = datetime(2026, 11, 20, 22, 0, tzinfo=UTC)
# Tiingo first, then Yahoo.
ORDER = {
    Route.US_ETF: ("tiingo", "yfinance"),
    Route.CRYPTO: ("yfinance",),
    Route.VOLATILITY_INDEX: ("yfinance",),
    Route.MACRO: (),
}


def make_settings(database_url: str, home: Path, now: datetime = NOW) -> Settings:
    """Build settings without reading the environment."""
    project = include_folder().parent
    return Settings(
        configuration=load_configuration(include_folder() / "config", {}),
        folders=StackFolders(home=home, project=project),
        database_url=database_url,
        clock=lambda: now,
    )


def small_learning() -> LearningConfig:
    """The shipped configuration of models with small trees and few null models: a training takes seconds."""
    return LearningConfig(
        lightgbm=LightgbmConfig(rounds=5),
        xgboost=XgboostConfig(rounds=5),
        evidence=EvidenceConfig(null_exceedances=2, most_nulls=20, bootstrap_samples=100),
    )


def training_settings(home: Path, learning: LearningConfig | None = None) -> Settings:
    """Settings of a training on the simulated market, without a database."""
    base = make_settings("", home)
    return replace(base, configuration=replace(base.configuration, learning=learning or small_learning()))


def configured(folder: Path, accounts: Any) -> Path:
    """Copy the shipped configuration with other accounts."""
    for file in (include_folder() / "config").glob("*.yaml"):
        (folder / file.name).write_text(file.read_text())
    content = yaml.safe_load((folder / "execution.yaml").read_text())
    if accounts is None:
        del content["accounts"]
    else:
        content["accounts"] = accounts
    (folder / "execution.yaml").write_text(yaml.safe_dump(content))
    return folder


def chain_settings(database_url: str, home: Path, clock: MovingClock) -> Settings:
    """Settings of two real clients in `ORDER`, with the shipped retries and breaker and no rate limits."""
    base = make_settings(database_url, home)
    content = base.configuration.sources.model_dump() | {"order": ORDER, "rate_limits": {}}
    sources = SourcesConfig.model_validate(content)
    return replace(base, configuration=replace(base.configuration, sources=sources), clock=clock)


def members(settings: Settings, tiingo: str, yahoo: str, cache: Path) -> Members:
    """The two sources, pointed at their servers."""
    universe = settings.configuration.universe
    return Members(
        {
            "tiingo": TiingoSource(universe, "hunter2", tiingo, read_seconds=0.25),
            "yfinance": YFinanceSource(universe, yahoo, cache),
        },
        {"polygon": "polygon is left out: polygon needs a key: set TRADING_POLYGON_API_KEY, or leave the source out"},
    )
