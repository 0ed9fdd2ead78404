"""Labels without meaning keep what they should, and p-values of noise are spread as they should be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from tests.builders.learning import SIGNAL, synthetic_dataset
from trading_lib.domain.market.prices import FloatArray
from trading_lib.learning.config import EvidenceConfig, LabelConfig, LearningConfig, SplitConfig
from trading_lib.learning.dataset import Dataset
from trading_lib.learning.evidence.nulls import (
    LOOKBACK,
    Null,
    compare_with_nulls,
    mean_ic,
    null_ic,
    null_labels,
    sequential_p,
)

HORIZON = 5
CONFIG = LearningConfig(
    label=LabelConfig(horizon=HORIZON),
    splits=SplitConfig(purge=HORIZON),
    evidence=EvidenceConfig(null_exceedances=10, most_nulls=40),
)


def world(seed: int = 0, ic: float = 0.0, drift: float = 0.0, sessions: int = 900) -> Dataset:
    return synthetic_dataset(sessions, assets=10, features=5, ic=ic, seed=seed, horizon=HORIZON, drift=drift)


def shorter_history(data: Dataset, asset: int, begin: int) -> Dataset:
    """The same without one asset's rows before a session."""
    kept = (data.row_symbol != asset) | (data.row_session >= begin)
    return replace(
        data,
        row_session=data.row_session[kept],
        row_symbol=data.row_symbol[kept],
        x=data.x[kept],
        y=data.y[kept],
        forward=data.forward[kept],
    )


def halves(data: Dataset, learn: Callable[[FloatArray, FloatArray, FloatArray], FloatArray]) -> FloatArray:
    """One path: each half of the sessions is scored by what was learned of the other, a horizon away."""
    labels = data.matrix(data.y)
    features = np.stack([data.matrix(data.x[:, column]) for column in range(data.x.shape[1])], axis=-1)
    middle = len(labels) // 2
    parts = (slice(0, middle), slice(middle + HORIZON, None)), (slice(middle, None), slice(0, middle - HORIZON))
    scores = np.full((1, *labels.shape), np.nan)
    for test, train in parts:
        scores[0, test] = learn(features[train], labels[train], features[test])
    return scores


def linear(train: FloatArray, labels: FloatArray, test: FloatArray) -> FloatArray:
    weights: FloatArray = np.einsum("tif,ti->f", train - train.mean(axis=(0, 1)), labels)
    return test @ (weights / train.var(axis=(0, 1)))


def mean_rank(train: FloatArray, labels: FloatArray, test: FloatArray) -> FloatArray:
    return np.tile(labels.mean(axis=0), (len(test), 1))


def refit_linear(data: Dataset) -> FloatArray:
    return halves(data, linear)


@pytest.mark.parametrize("null", list(Null))
def test_a_draw_is_the_same_in_whatever_order_it_is_made(null: Null) -> None:
    data = world()
    first = null_labels(data, HORIZON, null, 7, 3)
    null_labels(data, HORIZON, null, 7, 4)
    assert np.array_equal(first, null_labels(data, HORIZON, null, 7, 3))
    for other in (null_labels(data, HORIZON, null, 7, 4), null_labels(data, HORIZON, null, 8, 3)):
        assert not np.array_equal(first, other)


def test_shuffled_labels_stay_in_their_session_and_in_one_order_for_a_horizon() -> None:
    data = world()
    true, blank = data.matrix(data.y), data.matrix(null_labels(data, HORIZON, Null.SHUFFLED, 0, 0))
    assert np.array_equal(np.sort(true, axis=1), np.sort(blank, axis=1))
    orders = np.array(
        [[int(np.flatnonzero(row == value)[0]) for value in other] for row, other in zip(true, blank, strict=True)]
    )
    changes = np.flatnonzero((orders[1:] != orders[:-1]).any(axis=1)) + 1
    assert set(np.diff(changes)) == {HORIZON}
    assert len({tuple(order) for order in orders[::HORIZON]}) == len(orders[::HORIZON])


def test_an_asset_without_labels_gets_none_from_a_shuffle() -> None:
    data = shorter_history(world(), 2, 300)
    for null in Null:
        blank = null_labels(data, HORIZON, null, 0, 1)
        assert np.isfinite(blank).all()
    spread = data.matrix(null_labels(data, HORIZON, Null.SHUFFLED, 0, 1))
    assert np.array_equal(np.sort(spread, axis=1), np.sort(data.matrix(data.y), axis=1), equal_nan=True)


def shift_of(true: FloatArray, blank: FloatArray) -> int:
    return next(shift for shift in range(len(true)) if np.array_equal(np.roll(true, shift, axis=0), blank))


def test_rotated_labels_move_together_by_more_than_features_look_back() -> None:
    data = world(sessions=1200)
    true = data.matrix(data.y)
    shifts = [shift_of(true, data.matrix(null_labels(data, HORIZON, Null.ROTATED, 0, draw))) for draw in range(40)]
    assert min(shifts) >= LOOKBACK + 2 * HORIZON
    assert max(shifts) <= 1200 - LOOKBACK - 2 * HORIZON
    assert len(set(shifts)) > 35


def test_an_asset_with_a_shorter_history_rotates_within_it() -> None:
    whole = world(drift=4.0, sessions=1500)
    data = shorter_history(whole, 9, 600)
    blank = data.matrix(null_labels(data, HORIZON, Null.ROTATED, 0, 0))
    true = data.matrix(data.y)
    assert np.array_equal(np.isnan(blank), np.isnan(true))
    # Who did well on the whole still does.
    assert np.nanmean(blank, axis=0) == pytest.approx(np.nanmean(true, axis=0), abs=0.06)
    assert np.nanmin(blank) == -0.5
    assert np.nanmax(blank) == 0.5


def test_p_values_are_those_of_besag_and_clifford() -> None:
    assert sequential_p(10, 14, 10) == pytest.approx(10 / 14)
    assert sequential_p(10, 200, 10) == pytest.approx(0.05)
    assert sequential_p(9, 200, 10) == pytest.approx(10 / 201)
    assert sequential_p(0, 200, 10) == pytest.approx(1 / 201)


def test_a_worthless_model_takes_few_draws_and_a_good_one_all_of_them() -> None:
    told: list[tuple[str, int, int]] = []
    poor = compare_with_nulls(world(1), lambda data: -halves(data, linear) * 0, CONFIG)
    assert (poor.shuffled.p_value, poor.shuffled.draws) == (1.0, 10)
    good = compare_with_nulls(world(1, ic=0.25), refit_linear, CONFIG, progress=lambda *what: told.append(what))
    assert good.shuffled.draws == good.rotated.draws == 40
    assert (good.shuffled.p_value, good.rotated.p_value) == pytest.approx((1 / 41, 1 / 41))
    assert told[0] == ("shuffled", 1, 40)
    assert told[-1] == ("rotated", 40, 40)


def test_a_model_whose_coefficient_is_not_known_is_reached_by_every_null() -> None:
    data = world(2)
    nothing = np.full((1, *data.tradable.shape), np.nan)
    assert compare_with_nulls(data, refit_linear, CONFIG, scores=nothing).shuffled.p_value == 1.0


def test_the_model_is_trained_as_its_nulls_are_unless_its_own_scores_are_given() -> None:
    data = world(3, ic=0.2)
    own = mean_ic(refit_linear(data), data, 8)
    assert compare_with_nulls(data, refit_linear, CONFIG).shuffled.observed == own
    column = data.matrix(data.x[:, data.features.index(SIGNAL)])[None]
    given = compare_with_nulls(data, refit_linear, CONFIG, scores=column).shuffled.observed
    assert given == mean_ic(column, data, 8) != own


def test_who_did_well_is_no_noise_but_says_nothing_about_when() -> None:
    found = compare_with_nulls(world(4, drift=0.6), lambda data: halves(data, mean_rank), CONFIG)
    assert found.shuffled.observed > 0.15
    assert found.shuffled.p_value < 0.05
    assert found.rotated.p_value > 0.1


def test_shuffled_nulls_are_judged_on_true_labels_and_rotated_ones_in_their_own_world() -> None:
    data = world(5, ic=0.2)
    column = data.matrix(data.x[:, data.features.index(SIGNAL)])[None]
    true = mean_ic(column, data, 8)
    assert [null_ic(data, lambda _: column, CONFIG, Null.SHUFFLED, draw) for draw in (0, 1)] == [true, true]
    assert all(null_ic(data, lambda _: column, CONFIG, Null.ROTATED, draw) < true / 2 for draw in (0, 1))


def test_where_a_worthless_model_stands_among_its_nulls_is_a_matter_of_chance() -> None:
    draws, worlds = 9, 40
    for null in Null:
        places = []
        for seed in range(worlds):
            data = world(100 + seed)
            own = mean_ic(refit_linear(data), data, 8)
            places.append(sum(null_ic(data, refit_linear, CONFIG, null, draw) >= own for draw in range(draws)))
        spread = (np.array(places) + np.random.default_rng(0).random(worlds)) / (draws + 1)
        assert stats.kstest(spread, "uniform").pvalue > 0.01
        # Ten in forty at a rate of .1 happen once in two hundred times.
        assert places.count(0) < 10
