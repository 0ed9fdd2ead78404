"""Settings of trainings that take seconds: small trees, few null models, on the simulated market."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

from tests.builders.settings import make_settings
from trading_lib.learning.config import EvidenceConfig, LearningConfig, LightgbmConfig, XgboostConfig
from trading_lib.workflows.setup.settings import Settings

FIRST, LAST = date(2019, 1, 2), date(2020, 6, 30)


def small_learning() -> LearningConfig:
    """The shipped configuration with small trees and few null models."""
    return LearningConfig(
        lightgbm=LightgbmConfig(rounds=5),
        xgboost=XgboostConfig(rounds=5),
        evidence=EvidenceConfig(null_exceedances=2, most_nulls=20, bootstrap_samples=100),
    )


def training_settings(home: Path, learning: LearningConfig | None = None) -> Settings:
    """Settings without a database and without MLflow, in a home of their own."""
    base = make_settings("", home)
    return replace(base, configuration=replace(base.configuration, learning=learning or small_learning()))
