"""Combinatorial cross-validation of ridge, LightGBM, XGBoost and their ensemble on made-up data: 15 splits, 15 assets,
3 and 16 years; and a hundred null refits of ridge. Baseline: scikit-learn's ridge, fitted split by split."""

from __future__ import annotations

import multiprocessing
import resource
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

YEARS = {"three_years": 755, "sixteen_years": 4028}
PROCESSES, REPETITIONS, NULLS, FEATURES = 2, 3, 100, 40


def run() -> dict[str, Any]:
    """Measure each length in a process of its own, so that each has a peak of its own and begins cold."""
    context = multiprocessing.get_context("spawn")
    results: dict[str, Any] = {}
    for name, sessions in YEARS.items():
        # Not a pool's worker: that may have no processes of its own.
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(target=_measure, args=(sessions, sender))
        process.start()
        # The child's alone now: if it dies, there is nothing more to wait for.
        sender.close()
        results[name] = receiver.recv()
        process.join()
    return results


def _measure(sessions: int, sender: Any) -> None:
    from tests.builders.learning import synthetic_dataset

    data = synthetic_dataset(sessions, features=FEATURES, ic=0.1, missing=0.05)
    begun = time.perf_counter()
    from trading_lib.learning.config import LearningConfig
    from trading_lib.learning.models.learners import LEARNERS, make_learner
    from trading_lib.learning.splits.combinatorial import combinatorial_plan
    from trading_lib.learning.splits.cross_validation import cross_validate
    from trading_lib.learning.splits.ridge_system import RidgeSystem

    config = LearningConfig()
    plan = combinatorial_plan(data, config.splits)
    planned, before = time.perf_counter(), sum(_processor_seconds())
    learners = [make_learner(kind, config) for kind in LEARNERS]
    found = cross_validate(data, plan, learners, config.seed, PROCESSES)
    validated, spent = time.perf_counter(), sum(_processor_seconds()) - before
    assert all(np.isfinite(scores.paths).all() for scores in found.values())
    system, random = RidgeSystem(data, plan, config.ridge), np.random.default_rng(1)
    labels = [random.permutation(data.y) for _ in range(NULLS)]
    nulls = time.perf_counter()
    for y in labels:
        system.paths(y)
    nulled = time.perf_counter()
    splits = [(data.rows_of(split.train), data.rows_of(split.test)) for split in plan.splits]
    ridge = _median(lambda: cross_validate(data, plan, learners[:1], config.seed))
    sender.send(
        {
            "rows": len(data),
            "features": FEATURES,
            "plan_seconds_cold": planned - begun,
            "cross_validation_seconds": validated - planned,
            "cross_validation_processor_seconds": spent,
            "processes": PROCESSES,
            "ridge_seconds": ridge,
            "baseline": "scikit-learn's imputer, scaler and ridge, split by split",
            "baseline_seconds": _median(lambda: [_with_sklearn(data, *split) for split in splits]),
            "null_refits": NULLS,
            "null_refits_seconds": nulled - nulls,
            "model_bytes": {
                learner.kind: sum(map(len, learner.fit(data, np.arange(len(data)), config.seed).files().values()))
                for learner in learners
            },
            "peak_megabytes": max(
                resource.getrusage(who).ru_maxrss / 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
            ),
        }
    )


def _processor_seconds() -> list[float]:
    """Of this process, and of those it has waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return [one.ru_utime + one.ru_stime for one in used]


def _with_sklearn(data: Any, train: Any, test: Any) -> Any:
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    pipeline = make_pipeline(SimpleImputer(), StandardScaler(), Ridge(alpha=0.1 * len(train)))
    fitted = pipeline.fit(data.x[train], data.y[train])
    return fitted.predict(data.x[test]), fitted.predict(data.x[train])


def _median(work: Callable[[], object]) -> float:
    seconds = []
    for _ in range(REPETITIONS):
        begun = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - begun)
    return statistics.median(seconds)
