"""Null models of all kinds of a training: what each shows when it has learned labels that say nothing.

An ensemble's are put together from its members' of the same draw. Trees are compared as smaller trees (`smaller`) that
learn from every few sessions, in as few splits as test every session once: a draw of the configured ones would take as
long as the cross-validation itself, a few hundred times.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np

from trading_lib.domain.market.prices import FloatArray, IntegerArray
from trading_lib.learning.config import LearningConfig
from trading_lib.learning.dataset import Dataset
from trading_lib.learning.evidence.nulls import Null, mean_ic, null_world
from trading_lib.learning.model import Model
from trading_lib.learning.models.baselines import score_rows
from trading_lib.learning.models.ensemble import EnsembleLearner, mean_ranks
from trading_lib.learning.models.lightgbm import LightgbmLearner
from trading_lib.learning.models.ridge import RidgeLearner
from trading_lib.learning.models.xgboost import XgboostLearner
from trading_lib.learning.splits.out_of_sample import paths_of
from trading_lib.learning.splits.plan import Plan, Split
from trading_lib.learning.splits.ridge_system import RidgeSystem

RIDGE, ENSEMBLE = RidgeLearner.kind, EnsembleLearner.kind
# A smaller tree learns from about so many sessions, as labels of neighbours share all but one of theirs, in so many
# rounds.
SESSIONS, ROUNDS = 190, 15


@dataclass(frozen=True, slots=True)
class _Split:
    """A split's smaller tree, binned: rows it learns from and scores, and what fits labels of the former."""

    train: IntegerArray
    test: IntegerArray
    fit: Callable[[FloatArray], Model]


class NullModels:
    """Everything about a training that does not depend on the labels.

    Parameters
    ----------
    data, plan
        As models were cross-validated.
    """

    def __init__(self, data: Dataset, plan: Plan, config: LearningConfig) -> None:
        self._data, self._config = data, config
        self.members = tuple(kind for kind in config.models if kind != ENSEMBLE)
        self._few = fewest_splits(plan)
        ridge = RIDGE in self.members
        self._ridge = RidgeSystem(data, plan, config.ridge) if ridge else None
        self._few_ridge = RidgeSystem(data, self._few, config.ridge) if ridge and ENSEMBLE in config.models else None
        every = thinning(len(data.sessions), config.label.horizon)
        small = smaller(config, every)
        trees: Mapping[str, LightgbmLearner | XgboostLearner] = {
            LightgbmLearner.kind: LightgbmLearner(small.lightgbm),
            XgboostLearner.kind: XgboostLearner(small.xgboost),
        }
        self._trees = {kind: self._binned(tree, every) for kind, tree in trees.items() if kind in self.members}

    def coefficients(self, kinds: Collection[str], null: Null | None = None, draw: int = 0) -> dict[str, float]:
        """Mean information coefficient of one null model of each kind; without a null those of the true labels."""
        data, config = self._data, self._config
        blank, judged = (data, data) if null is None else null_world(data, config, null, draw)
        paths = {}
        if RIDGE in kinds and self._ridge is not None:
            paths[RIDGE] = self._ridge.paths(blank.y)
        for kind in self._trees:
            if kind in kinds or ENSEMBLE in kinds:
                paths[kind] = self._tree_paths(kind, blank.y)
        if ENSEMBLE in kinds:
            members = [paths[kind] for kind in self._trees]
            members += [self._few_ridge.paths(blank.y)] if self._few_ridge is not None else []
            paths[ENSEMBLE] = mean_ranks(members)
        return {kind: mean_ic(paths[kind], judged, config.label.minimum_assets) for kind in kinds}

    def _tree_paths(self, kind: str, y: FloatArray) -> FloatArray:
        scores = []
        for split in self._trees[kind]:
            model = split.fit(y[split.train])
            scores.append(self._data.matrix(score_rows(model, self._data, split.test), split.test))
        return paths_of(self._few, np.stack(scores))

    def _binned(self, learner: LightgbmLearner | XgboostLearner, every: int) -> list[_Split]:
        data, found = self._data, []
        for split in self._few.splits:
            train = data.rows_of(split.train[::every])
            found.append(_Split(train, data.rows_of(split.test), learner.prepare(data, train, self._config.seed)))
        return found


def fewest_splits(plan: Plan) -> Plan:
    """Return few splits that together test every fold, as one path."""
    chosen: dict[int, Split] = {}
    while len(chosen) < len(plan.folds):
        untested = set(range(len(plan.folds))) - set(chosen)
        best = max(plan.splits, key=lambda split: len(untested & set(split.test_folds)))
        chosen |= {fold: best for fold in best.test_folds if fold in untested}
    numbers = sorted({split.number for split in chosen.values()})
    splits = tuple(replace(plan.splits[number], number=place) for place, number in enumerate(numbers))
    path = [numbers.index(chosen[fold].number) for fold in range(len(plan.folds))]
    return Plan(plan.folds, splits, np.array([path]))


def thinning(sessions: int, horizon: int) -> int:
    """Every how many sessions a smaller tree learns from: never further apart than labels are long."""
    return max(1, min(sessions // SESSIONS, horizon))


def smaller(config: LearningConfig, every: int) -> LearningConfig:
    """Trees that learn as much in `ROUNDS` rounds, from leaves that hold as many sessions."""

    def speed(rate: float, rounds: int) -> float:
        return min(rate * max(rounds / ROUNDS, 1.0), 1.0)

    light, extreme = config.lightgbm, config.xgboost
    return config.model_copy(
        update={
            "lightgbm": light.model_copy(
                update={
                    "rounds": min(light.rounds, ROUNDS),
                    "learning_rate": speed(light.learning_rate, light.rounds),
                    "minimum_rows": max(light.minimum_rows // every, 1),
                }
            ),
            "xgboost": extreme.model_copy(
                update={
                    "rounds": min(extreme.rounds, ROUNDS),
                    "learning_rate": speed(extreme.learning_rate, extreme.rounds),
                    "minimum_weight": extreme.minimum_weight / every,
                }
            ),
        }
    )
