"""Trainings and versions of models for tests of the registry; their evidence has passed unless said otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import Engine

from trading_lib.adapters.stores.learning.model_store import ModelStore
from trading_lib.learning.registered import (
    RANKING,
    Alias,
    AliasChange,
    StoredModel,
    StoredTraining,
    file_digests,
    model_digest,
)

NOW = datetime(2026, 11, 20, 22, 0, tzinfo=UTC)
FEATURES = ("momentum", "volatility")
FILES: Mapping[str, bytes] = {"model.json": b'{"coefficients": [0.5, -0.25]}'}


def training(**changes: Any) -> StoredTraining:
    """A training of 2007 to 2022."""
    made = StoredTraining(
        id="training-1",
        first=date(2007, 1, 3),
        last=date(2022, 12, 30),
        data_source="files:prices",
        data_hash="d" * 64,
        features=FEATURES,
        request={"from": "2007-01-03", "to": "2022-12-30"},
        configuration={"window": "expanding", "seed": 7},
        config_hash="c" * 64,
        code_version="1.0",
        seed=7,
        mlflow_run="",
        report={"models": {"ridge": {"ic_mean": 0.05, "pbo": float("nan")}}},
        started_at=NOW,
        finished_at=NOW,
    )
    return replace(made, **changes)


def model(files: Mapping[str, bytes] = FILES, **changes: Any) -> StoredModel:
    """A ridge regression of `training`, not registered yet."""
    digests = file_digests(files)
    made = StoredModel(
        name=RANKING,
        version=0,
        kind="ridge",
        training="training-1",
        trained_until=date(2022, 12, 30),
        features=FEATURES,
        files=digests,
        sha256=model_digest("ridge", FEATURES, digests),
        data_hash="d" * 64,
        evidence={"ic_mean": 0.05, "passed": True, "pbo": float("nan")},
        ranges={"momentum": (-0.5, 0.5), "volatility": (float("nan"), float("nan"))},
        certificate="",
        created_at=NOW,
    )
    return replace(made, **changes)


def files(number: int) -> Mapping[str, bytes]:
    """Files of another model."""
    return {"model.json": b'{"coefficients": [%d, 0]}' % number}


def store_versions(engine: Engine, *aliases: Alias | None) -> ModelStore:
    """Store one version for each alias."""
    store = ModelStore(engine)
    store.save_training(training())
    for number, alias in enumerate(aliases, start=1):
        store.register(
            model(files(number)),
            files(number),
            lambda new, _, alias=alias: [AliasChange(new.version, alias, "test", "tests", NOW)],
        )
    return store
