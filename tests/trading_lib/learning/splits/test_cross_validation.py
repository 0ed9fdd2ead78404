"""Every learner on every split of a made-up dataset."""

from __future__ import annotations

import multiprocessing
import os
from typing import NoReturn

import numpy as np
import pytest

from tests.builders.learning import synthetic_dataset
from trading_lib.domain.errors import InputError, TradingError
from trading_lib.domain.market.prices import FloatArray
from trading_lib.learning.config import LearningConfig, LightgbmConfig, SplitConfig, XgboostConfig
from trading_lib.learning.dataset import Dataset
from trading_lib.learning.models.learners import LEARNERS, make_learner
from trading_lib.learning.models.lightgbm import LightgbmLearner
from trading_lib.learning.ranks import session_ranks
from trading_lib.learning.splits.combinatorial import combinatorial_plan
from trading_lib.learning.splits.cross_validation import cross_validate, split_scores
from trading_lib.learning.splits.walk_forward import walk_forward_plan

CONFIG = LearningConfig(lightgbm=LightgbmConfig(rounds=8), xgboost=XgboostConfig(rounds=8))
TREES = ("lightgbm", "xgboost")
BASELINES = ("momentum_12_1", "static_mean_rank", "equal_weight")


def mean_correlation(data: Dataset, scores: FloatArray) -> float:
    """Mean over sessions of the correlation of ranks, where there are scores."""
    ours, theirs = session_ranks(scores), data.matrix(data.y)
    kept = ~np.isnan(ours).any(axis=1)
    return float(np.mean([np.corrcoef(a, b)[0, 1] for a, b in zip(ours[kept], theirs[kept], strict=True)]))


@pytest.fixture(scope="module")
def data() -> Dataset:
    return synthetic_dataset(sessions=420, assets=9, features=6, ic=0.4, seed=3, missing=0.1)


def test_paths_cover_every_row_and_training_scores_their_own_split_alone(data: Dataset) -> None:
    plan = combinatorial_plan(data, CONFIG.splits)
    found = cross_validate(data, plan, [make_learner(kind, CONFIG) for kind in (*LEARNERS, *BASELINES)], 7, processes=1)
    assert list(found) == [*LEARNERS, *BASELINES]
    for scores in found.values():
        assert scores.paths.shape == (5, 420, 9)
        assert np.isfinite(scores.paths).all()
        for split in plan.splits:
            known = np.isfinite(scores.train[split.number]).all(axis=1)
            np.testing.assert_array_equal(np.flatnonzero(known), split.train)


@pytest.mark.parametrize("kind", ["ridge", *TREES, "ensemble"])
def test_what_is_planted_is_found_out_of_sample(data: Dataset, kind: str) -> None:
    found = cross_validate(data, combinatorial_plan(data, CONFIG.splits), [make_learner(kind, CONFIG)], 7, processes=1)
    assert list(found) == [kind]
    assert np.mean([mean_correlation(data, path) for path in found[kind].paths]) > 0.25


def test_the_number_of_processes_changes_no_bit(data: Dataset) -> None:
    plan = combinatorial_plan(data, CONFIG.splits)
    learners = [make_learner(kind, CONFIG) for kind in TREES]
    one = cross_validate(data, plan, learners, 7, processes=1)
    two = cross_validate(data, plan, learners, 7, processes=2)
    for kind in TREES:
        np.testing.assert_array_equal(one[kind].paths, two[kind].paths)
        np.testing.assert_array_equal(one[kind].train, two[kind].train)


@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_ridge_of_all_splits_at_once_equals_ridge_fitted_split_by_split(missing: float) -> None:
    data = synthetic_dataset(sessions=420, assets=9, features=8, ic=0.2, seed=5, missing=missing)
    plan = combinatorial_plan(data, CONFIG.splits)
    learner = make_learner("ridge", CONFIG)
    at_once = cross_validate(data, plan, [learner], 7)["ridge"]
    for split in plan.splits:
        test, train = split_scores(data, plan, learner, 7, split.number)
        path = next(number for number, row in enumerate(plan.paths) if row[split.test_folds[0]] == split.number)
        fold = plan.folds[split.test_folds[0]]
        matrix = data.matrix(test, data.rows_of(split.test))
        np.testing.assert_allclose(at_once.paths[path, fold], matrix[fold], atol=1e-9)
        np.testing.assert_allclose(
            at_once.train[split.number], data.matrix(train, data.rows_of(split.train)), atol=1e-9
        )


@pytest.mark.parametrize("kind", LEARNERS)
def test_a_fold_is_scored_without_its_own_labels_and_those_that_reach_into_it(data: Dataset, kind: str) -> None:
    """Labels of the first fold and of the sessions purged around it may be anything: its scores do not move."""
    plan = combinatorial_plan(data, CONFIG.splits)
    near = np.isin(data.row_session, np.arange(70 + CONFIG.splits.purge + CONFIG.splits.embargo))
    turned = data.with_labels(np.where(near, -data.y, data.y))
    learners = [make_learner(kind, CONFIG)]
    before, after = (cross_validate(d, plan, learners, 7, processes=1)[kind].paths for d in (data, turned))
    np.testing.assert_array_equal(before[:, :70], after[:, :70])
    assert (before[:, 70:] != after[:, 70:]).any()


def test_a_walk_forward_scores_all_but_the_first_fold_from_the_past_alone(data: Dataset) -> None:
    plan = walk_forward_plan(data, SplitConfig(walk_forward_folds=5))
    learners = [make_learner("ridge", CONFIG)]
    paths = cross_validate(data, plan, learners, 7)["ridge"].paths
    assert paths.shape == (1, 420, 9)
    assert np.isnan(paths[0, :70]).all()
    assert np.isfinite(paths[0, 70:]).all()
    later = data.with_labels(np.where(data.row_session >= 350 - 21, -data.y, data.y))
    turned = cross_validate(later, plan, learners, 7)["ridge"].paths
    np.testing.assert_array_equal(turned, paths)


class Dying(LightgbmLearner):
    """Ends its process."""

    def fit(self, *given: object) -> NoReturn:
        os._exit(9)


class Refusing(LightgbmLearner):
    """Finds something wrong with what it is given."""

    def fit(self, *given: object) -> NoReturn:
        raise InputError("the third label is wrong", "mend it")


def test_a_worker_that_dies_is_told_of_in_one_line(data: Dataset) -> None:
    plan = combinatorial_plan(data, CONFIG.splits)
    with pytest.raises(TradingError, match="process that fits models died"):
        cross_validate(data, plan, [Dying(CONFIG.lightgbm)], 7, processes=2)


def test_what_a_worker_refuses_is_refused(data: Dataset) -> None:
    plan = combinatorial_plan(data, CONFIG.splits)
    with pytest.raises(InputError, match="the third label is wrong: mend it"):
        cross_validate(data, plan, [Refusing(CONFIG.lightgbm)], 7, processes=2)


def test_a_daemon_which_may_have_no_processes_grows_trees_itself(
    data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = combinatorial_plan(data, CONFIG.splits)
    monkeypatch.setitem(multiprocessing.current_process()._config, "daemon", True)
    found = cross_validate(data, plan, [make_learner("lightgbm", CONFIG)], 7, processes=2)
    assert np.isfinite(found["lightgbm"].paths).all()
