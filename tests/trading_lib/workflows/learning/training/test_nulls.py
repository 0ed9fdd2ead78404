"""Null models: drawn until each kind has its answer, the same on any number of processes, as evidence defines them."""

from __future__ import annotations

from concurrent.futures import CancelledError

import numpy as np
import pytest

from tests.builders.learning import synthetic_dataset
from tests.builders.settings import small_learning
from trading_lib.learning.config import EvidenceConfig, LearningConfig
from trading_lib.learning.evidence.nulls import Null, mean_ic, null_labels
from trading_lib.learning.models.learners import make_learner
from trading_lib.learning.splits.combinatorial import combinatorial_plan
from trading_lib.learning.splits.cross_validation import cross_validate
from trading_lib.workflows.learning.training.null_models import NullModels, fewest_splits, smaller, thinning
from trading_lib.workflows.learning.training.nulls import null_tests

DATA = synthetic_dataset(sessions=240, assets=9, features=5, ic=0.15, seed=3)
CONFIG = small_learning()
PLAN = combinatorial_plan(DATA, CONFIG.splits)


def test_few_splits_test_every_session_once_by_models_that_have_not_seen_it() -> None:
    few = fewest_splits(PLAN)
    assert len(few.splits) == 3
    assert few.paths.shape == (1, 6)
    tested = np.concatenate([split.test for split in few.splits])
    assert sorted(tested) == list(range(len(DATA.sessions)))
    for fold, number in enumerate(few.paths[0]):
        assert np.isin(few.folds[fold], few.splits[number].test).all()
        assert not np.isin(few.folds[fold], few.splits[number].train).any()


def test_sessions_are_thinned_by_how_many_there_are_and_never_beyond_a_label() -> None:
    assert [thinning(sessions, 21) for sessions in (150, 755, 4007, 40_000)] == [1, 3, 21, 21]


def test_smaller_trees_learn_as_much_in_fewer_rounds_from_leaves_of_as_many_sessions() -> None:
    config = LearningConfig()
    small = smaller(config, 10)
    assert small.lightgbm.rounds * small.lightgbm.learning_rate == pytest.approx(150 * 0.03)
    assert small.xgboost.rounds * small.xgboost.learning_rate == pytest.approx(150 * 0.03)
    assert (small.lightgbm.minimum_rows, small.xgboost.minimum_weight) == (20, 20.0)
    assert small.ridge == config.ridge


@pytest.mark.parametrize("null", list(Null))
def test_a_null_ridge_is_the_ridge_of_the_labels_that_say_nothing(null: Null) -> None:
    blank = DATA.with_labels(null_labels(DATA, CONFIG.label.horizon, null, CONFIG.seed, 4))
    learner = make_learner("ridge", CONFIG)
    paths = cross_validate(blank, PLAN, [learner], CONFIG.seed, 1)["ridge"].paths
    expected = mean_ic(paths, DATA if null is Null.SHUFFLED else blank, CONFIG.label.minimum_assets)
    found = NullModels(DATA, PLAN, CONFIG).coefficients(["ridge"], null, 4)
    assert found["ridge"] == pytest.approx(expected, abs=1e-9)


def test_a_draw_is_the_same_whichever_kinds_are_asked_for_with_it() -> None:
    models = NullModels(DATA, PLAN, CONFIG)
    together = models.coefficients(CONFIG.models, Null.ROTATED, 2)
    assert set(together) == set(CONFIG.models)
    for kind in CONFIG.models:
        assert models.coefficients([kind], Null.ROTATED, 2) == {kind: together[kind]}


def test_each_kind_is_drawn_until_enough_reach_it_and_no_further() -> None:
    found = null_tests(DATA, PLAN, CONFIG)
    for tests in found.values():
        assert set(tests) == set(CONFIG.models)
        for test in tests.values():
            reached = np.cumsum(~(test.ics < test.observed))
            enough = reached[-1] >= CONFIG.evidence.null_exceedances
            assert enough or test.draws == CONFIG.evidence.most_nulls
            assert not enough or reached[-2] < CONFIG.evidence.null_exceedances
            expected = reached[-1] / test.draws if enough else (reached[-1] + 1) / (test.draws + 1)
            assert test.p_value == pytest.approx(expected)


def test_processes_change_nothing_but_the_time() -> None:
    learning = CONFIG.model_copy(update={"models": ("ridge",)})
    alone = null_tests(DATA, PLAN, learning, [Null.SHUFFLED])
    several = null_tests(DATA, PLAN, learning, [Null.SHUFFLED], processes=2)
    assert several[Null.SHUFFLED]["ridge"].p_value == alone[Null.SHUFFLED]["ridge"].p_value
    np.testing.assert_array_equal(several[Null.SHUFFLED]["ridge"].ics, alone[Null.SHUFFLED]["ridge"].ics)


def test_a_planted_signal_is_told_from_noise_and_noise_is_not() -> None:
    evidence = EvidenceConfig(null_exceedances=5, most_nulls=60, bootstrap_samples=100)
    learning = LearningConfig(models=("ridge",), evidence=evidence)
    strong = synthetic_dataset(sessions=600, assets=12, features=5, ic=0.25, seed=1)
    found = null_tests(strong, combinatorial_plan(strong, learning.splits), learning)
    assert all(tests["ridge"].p_value < 0.05 for tests in found.values())
    blank = strong.with_labels(null_labels(strong, 21, Null.SHUFFLED, 99, 0))
    found = null_tests(blank, combinatorial_plan(blank, learning.splits), learning, [Null.SHUFFLED])
    assert found[Null.SHUFFLED]["ridge"].p_value > 0.05


def test_a_model_whose_coefficient_is_unknown_or_equal_to_a_draw_has_not_exceeded_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for coefficient in (float("nan"), 0.04):
        monkeypatch.setattr(
            NullModels,
            "coefficients",
            lambda self, kinds, null=None, draw=0, known=coefficient: dict.fromkeys(kinds, known),
        )
        for tests in null_tests(DATA, PLAN, CONFIG).values():
            assert {test.p_value for test in tests.values()} == {1.0}


def test_nothing_is_drawn_any_more_when_nobody_waits_for_it() -> None:
    with pytest.raises(CancelledError):
        null_tests(DATA, PLAN, CONFIG, given_up=lambda: True)


def test_progress_is_told_of_long_draws() -> None:
    said: list[str] = []
    evidence = EvidenceConfig(null_exceedances=20, most_nulls=30, bootstrap_samples=100)
    null_tests(DATA, PLAN, LearningConfig(models=("ridge",), evidence=evidence), [Null.SHUFFLED], progress=said.append)
    assert said == ["labels shuffled: 20 draws, more for ridge"]
