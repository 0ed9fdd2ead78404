"""Finished trainings for tests of the registry: ridge regressions of drawn data, with evidence as it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np

from tests.builders.learning import synthetic_dataset
from tests.environment.stored_models import NOW
from trading_lib.domain.market.prices import FloatArray
from trading_lib.learning.config import LearningConfig, RidgeConfig
from trading_lib.learning.dataset import Dataset
from trading_lib.learning.evidence.model_evidence import ModelEvidence, WalkForwardEvidence
from trading_lib.learning.models.learners import make_learner
from trading_lib.workflows.learning.train import TrainingRequest, TrainingRun

BASELINE = "momentum_12_1"
SESSIONS = 300


def evidence(ic: float = 0.06, passed: bool = True) -> ModelEvidence:
    """Evidence with this mean information coefficient."""
    return ModelEvidence(
        ic_mean=ic,
        ic_t_nw=3.1,
        ic_t_nonoverlap=2.9,
        ic_by_path=(ic, ic),
        sharpe_by_path=(1.0, 1.1),
        active_sharpe_by_path=(0.3, 0.4),
        walk_forward=WalkForwardEvidence(ic, 0.2),
        train_gap=0.1,
        ic_null_p=0.01,
        timing_null_p=0.02,
        passed=passed,
        reasons=() if passed else ("mean IC below 0.03",),
    )


def finished_training(
    daily: Mapping[str, FloatArray] | None = None,
    ics: Mapping[str, float] | None = None,
    passed: bool = True,
    seed: int = 0,
    data: Dataset | None = None,
) -> TrainingRun:
    """Train ridge regressions under the names of ``ics``, each with a penalty of its own.

    Parameters
    ----------
    daily
        See `TrainingRun.daily_ic`; noise around .06, and around 0 for the baseline, where it is left out.
    ics
        Kind -> mean information coefficient in its evidence.
    """
    dataset = data or synthetic_dataset(sessions=SESSIONS, assets=9, features=5, ic=0.3, seed=seed)
    rows = np.arange(len(dataset))
    named = ics or {"ridge": 0.06}
    configuration = LearningConfig(seed=7)
    models: dict[str, Any] = {}
    for number, kind in enumerate(named, start=1):
        learner = make_learner("ridge", configuration.model_copy(update={"ridge": RidgeConfig(penalty=number / 10)}))
        models[kind] = learner.fit(dataset, rows, seed)
    return TrainingRun(
        request=TrainingRequest(first=date(2007, 1, 3), last=date(2008, 12, 31)),
        configuration=configuration,
        data_source="files:prices",
        code_version="1.0",
        dataset=dataset,
        models=models,
        evidence={kind: evidence(ic, passed) for kind, ic in named.items()},
        baselines={BASELINE: evidence(0.02, False)},
        report={
            "models": {kind: {"importance": dict.fromkeys(dataset.features, 0.2)} for kind in named},
            "sessions": SESSIONS,
        },
        started_at=NOW,
        finished_at=NOW,
        daily_ic=dict.fromkeys(named, noise(0.06)) | {BASELINE: noise(0.0, seed=1)} if daily is None else daily,
    )


def noise(mean: float, sessions: int = SESSIONS, seed: int = 0, deviation: float = 0.05) -> FloatArray:
    """Independent information coefficients of so many sessions."""
    return np.random.default_rng(seed).normal(mean, deviation, sessions)


def with_daily(run: TrainingRun, kind: str, values: FloatArray) -> TrainingRun:
    """Return the training with other information coefficients of one model."""
    return replace(run, daily_ic={**run.daily_ic, kind: values})
