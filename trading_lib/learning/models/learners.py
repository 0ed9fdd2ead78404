"""The learners by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from trading_lib.domain.errors import InputError, one_of
from trading_lib.learning.config import LearningConfig
from trading_lib.learning.model import Learner
from trading_lib.learning.models.baselines import BASELINES
from trading_lib.learning.models.ensemble import EnsembleLearner
from trading_lib.learning.models.lightgbm import LightgbmLearner
from trading_lib.learning.models.ridge import RidgeLearner
from trading_lib.learning.models.xgboost import XgboostLearner


def _ensemble(config: LearningConfig) -> Learner:
    return EnsembleLearner(tuple(make_learner(kind, config) for kind in config.models if kind != EnsembleLearner.kind))


LEARNERS: Mapping[str, Callable[[LearningConfig], Learner]] = {
    "ridge": lambda config: RidgeLearner(config.ridge),
    "lightgbm": lambda config: LightgbmLearner(config.lightgbm),
    "xgboost": lambda config: XgboostLearner(config.xgboost),
    "ensemble": _ensemble,
}


def make_learner(kind: str, config: LearningConfig) -> Learner:
    """Make a learner, trained or baseline, by the name under which reports know it.

    An ensemble's members are the other ``models`` of the configuration.

    Raises
    ------
    InputError
        When there is none of the name.
    """
    if kind in BASELINES:
        return BASELINES[kind]
    if kind not in LEARNERS:
        raise InputError(f"there is no learner {kind!r}", one_of(kind, [*LEARNERS, *BASELINES]))
    return LEARNERS[kind](config)
