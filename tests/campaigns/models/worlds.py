"""Made-up worlds whose truth is known, and what a training says of one: `World` -> `Judged`."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from tests.builders.learning import SIXTEEN_YEARS, THREE_YEARS, synthetic_dataset
from trading_lib.learning.config import LearningConfig
from trading_lib.learning.evidence.model_evidence import ModelEvidence
from trading_lib.learning.models.baselines import BASELINES
from trading_lib.learning.models.learners import make_learner
from trading_lib.learning.splits.cross_validation import cross_validate
from trading_lib.workflows.learning.training.nulls import null_tests
from trading_lib.workflows.learning.training.report import plain_values
from trading_lib.workflows.learning.training.steps import Scores, prepared, verdicts

SESSIONS = {16: SIXTEEN_YEARS, 3: THREE_YEARS}


@dataclass(frozen=True, slots=True)
class World:
    """Fifteen assets, 27 features, one of which predicts with a coefficient of ``ic``; in no world does a baseline.

    Attributes
    ----------
    years
        16 or 3.
    models
        Kinds that are trained on it.
    """

    years: int
    ic: float
    seed: int
    models: tuple[str, ...]

    @property
    def name(self) -> str:
        """As progress is told."""
        return f"{'planted ' + str(self.ic) if self.ic else 'noise'}, {self.years} years, seed {self.seed}"


@dataclass(frozen=True, slots=True)
class Judged:
    """What a training says of a world.

    Attributes
    ----------
    models
        Kind -> figures, as `figures`.
    baselines
        Name -> information coefficient.
    seconds
        Processor time.
    """

    world: World
    models: Mapping[str, Mapping[str, Any]]
    baselines: Mapping[str, float]
    minimum_detectable_ic: float
    seconds: float

    def plain(self) -> dict[str, Any]:
        """Values for JSON."""
        rounded: dict[str, Any] = _rounded(plain_values(asdict(self)))
        return rounded


def judge_world(world: World) -> dict[str, Any]:
    """Train and judge as `trading train` does, without the walk-forward, which no verdict rests on."""
    began = time.process_time()
    config = LearningConfig()
    config = config.model_copy(update={"models": world.models})
    data = synthetic_dataset(SESSIONS[world.years], ic=world.ic, seed=world.seed)
    ready = prepared(data, config, world.name, True, ())
    learners = [*(make_learner(kind, config) for kind in world.models), *BASELINES.values()]
    crossed = cross_validate(data, ready.plan, learners, config.seed, processes=1)
    nulls = null_tests(data, ready.plan, config, processes=1)
    found = verdicts(ready, Scores(crossed, {}), nulls, None)
    return Judged(
        world=world,
        models={kind: figures(evidence, config) for kind, evidence in found.models.items()},
        baselines={name: float(one["ic_mean"]) for name, one in found.baselines.items()},
        minimum_detectable_ic=found.minimum_detectable_ic,
        seconds=time.process_time() - began,
    ).plain()


def figures(evidence: ModelEvidence, config: LearningConfig) -> dict[str, Any]:
    """What the campaign keeps of a model: the tests of skill, the bounds beside them, both verdicts."""
    return {
        "ic": evidence.ic_mean,
        "shuffled_p": evidence.ic_null_p,
        "rotated_p": evidence.timing_null_p,
        "beats_baseline_p": evidence.beats_baseline_p,
        "draws": list(evidence.nulls),
        "active_sharpe": float(np.mean(evidence.active_sharpe_by_path)),
        "train_gap": evidence.train_gap,
        "path_variance": float(np.var(evidence.active_sharpe_by_path, ddof=1)),
        "tests": skill(evidence, config),
        "found": evidence.found,
        "passed": evidence.passed,
    }


def skill(evidence: ModelEvidence, config: LearningConfig) -> dict[str, bool]:
    """Tests of skill one by one; train gap and path variance are bounds, which noise may well keep."""
    level = config.evidence.significance
    p_values = {
        "labels_shuffled": evidence.ic_null_p,
        "labels_rotated": evidence.timing_null_p,
        "better_than_baseline": evidence.beats_baseline_p,
    }
    of_p = {name: p_value is not None and p_value < level for name, p_value in p_values.items()}
    return {"least_ic": evidence.ic_mean >= config.evidence.minimum_ic, **of_p}


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _rounded(item) for name, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_rounded(item) for item in value]
    return round(value, 4) if isinstance(value, float) else value
