"""From a finished training to what the registry stores of it."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np

from trading_lib.domain.market.prices import FloatArray
from trading_lib.learning.dataset import Dataset
from trading_lib.learning.registered import (
    RANKING,
    StoredModel,
    StoredTraining,
    canonical,
    file_digests,
    model_digest,
)
from trading_lib.workflows.learning.registration.certificate import certificate_of

if TYPE_CHECKING:
    from trading_lib.workflows.learning.train import TrainingRun

# Key of `StoredModel.evidence` with the coefficients that a promotion compares.
DAILY = "daily_ic"


def training_of(run: TrainingRun, mlflow_run: str) -> StoredTraining:
    """Return a training as it is stored; its id is of what was asked for, on which data and code."""
    request = dict(run.request.record())
    asked = [request, run.dataset.digest, run.configuration.digest, run.code_version]
    return StoredTraining(
        id=hashlib.sha256(canonical(asked).encode()).hexdigest()[:16],
        first=run.request.first,
        last=run.request.last,
        data_source=run.data_source,
        data_hash=run.dataset.digest,
        features=run.dataset.features,
        request=request,
        configuration=run.configuration.model_dump(mode="json"),
        config_hash=run.configuration.digest,
        code_version=run.code_version,
        seed=run.configuration.seed,
        mlflow_run=mlflow_run,
        report=run.report,
        started_at=run.started_at,
        finished_at=run.finished_at,
    )


def draft_of(run: TrainingRun, training: StoredTraining, kind: str) -> StoredModel:
    """Return one model of a training as it is to be stored, with its files."""
    model = run.models[kind]
    contents = dict(model.files())
    digests = file_digests(contents)
    return StoredModel(
        name=RANKING,
        version=0,
        kind=kind,
        training=training.id,
        trained_until=training.last,
        features=model.features,
        files=digests,
        sha256=model_digest(kind, model.features, digests),
        data_hash=training.data_hash,
        evidence={**run.evidence[kind].report(), DAILY: _daily(run, kind)},
        ranges=feature_ranges(run.dataset),
        certificate=certificate_of(run, kind),
        created_at=run.finished_at,
        contents=contents,
    )


def importances_of(run: TrainingRun, kind: str) -> dict[str, float]:
    """Feature -> share of a model's contributions, as the training reports it; {} where it does not."""
    shares = run.report.get("models", {}).get(kind, {}).get("importance", {})
    return {name: float(share) for name, share in shares.items()}


def feature_ranges(data: Dataset) -> dict[str, tuple[float, float]]:
    """Feature -> least and largest value; NaN where it has none."""
    ranges = {}
    for name, column in zip(data.features, data.x.T, strict=True):
        known = column[np.isfinite(column)]
        ends = (float(known.min()), float(known.max())) if len(known) else (float("nan"), float("nan"))
        ranges[name] = ends
    return ranges


def _daily(run: TrainingRun, kind: str) -> dict[str, Any]:
    """Coefficients of each session out of sample, of the model and of the best untrained baseline; {} where unknown."""
    own = run.daily_ic.get(kind)
    if own is None:
        return {}
    means = {name: _mean(run.daily_ic[name]) for name in run.baselines if name in run.daily_ic}
    known = {name: mean for name, mean in means.items() if np.isfinite(mean)}
    best = max(known, key=lambda name: known[name], default="")
    return {
        "sessions": [str(day) for day in run.dataset.sessions],
        "ic": own.tolist(),
        "baseline": best,
        "baseline_ic": run.daily_ic[best].tolist() if best else [],
    }


def _mean(values: FloatArray) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")
