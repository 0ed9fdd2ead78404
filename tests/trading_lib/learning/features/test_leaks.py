"""A feature that knows the label is refused by name; noise and honest predictors are not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.builders.learning import synthetic_dataset
from trading_lib.domain.errors import InputError
from trading_lib.domain.market.prices import FloatArray
from trading_lib.learning.dataset import Dataset
from trading_lib.learning.features.leaks import SUSPICIOUS, mean_rank_correlation, next_returns, refuse_leaks


@pytest.fixture(scope="module")
def data() -> Dataset:
    return synthetic_dataset(sessions=400, features=8, ic=0.1, seed=2, missing=0.2)


def with_feature(data: Dataset, values: FloatArray) -> Dataset:
    return replace(data, features=(*data.features, "mine"), x=np.column_stack([data.x, values]))


def test_honest_features_pass(data: Dataset) -> None:
    notes: list[str] = []
    refuse_leaks(data, notes.append)
    assert notes == []


def test_the_label_the_return_behind_it_and_what_rises_or_falls_with_it_are_leaks(data: Dataset) -> None:
    nearly = data.forward + np.random.default_rng(1).normal(0, 0.001, len(data))
    for values in (data.y, data.forward, -data.forward, np.exp(20 * data.forward), nearly):
        with pytest.raises(InputError, match="feature mine is a leak"):
            refuse_leaks(with_feature(data, values))


def test_a_leak_with_holes_is_one(data: Dataset) -> None:
    holes = np.where(np.random.default_rng(3).random(len(data)) < 0.5, np.nan, data.y)
    with pytest.raises(InputError, match="mine is a leak"):
        refuse_leaks(with_feature(data, holes))


def test_a_third_of_a_leak_is_told_of(data: Dataset) -> None:
    notes: list[str] = []
    refuse_leaks(with_feature(data, data.y + np.random.default_rng(4).normal(0, 0.7, len(data))), notes.append)
    (line,) = notes
    assert line.startswith("feature mine has a mean rank correlation of +0.")


def test_the_future_in_levels_that_differ_by_session_is_found(data: Dataset) -> None:
    level = np.random.default_rng(5).normal(0, 100, len(data.sessions))[data.row_session]
    with pytest.raises(InputError, match="mine is a leak"):
        refuse_leaks(with_feature(data, data.forward + level))


def test_a_feature_without_ranks_within_sessions_has_no_correlation(data: Dataset) -> None:
    shape = (len(data.sessions), len(data.symbols))
    assert np.isnan(mean_rank_correlation(np.ones(shape), data.matrix(data.y)))
    assert np.isnan(mean_rank_correlation(np.full(shape, np.nan), data.matrix(data.y)))
    refuse_leaks(with_feature(data, data.row_session.astype(float)))


def test_the_next_session_is_a_leak_although_labels_hardly_show_it(data: Dataset) -> None:
    following = next_returns(data)[data.row_session, data.row_symbol]
    assert mean_rank_correlation(data.matrix(following), data.matrix(data.y)) < SUSPICIOUS
    with pytest.raises(InputError, match=r"feature mine is a leak.* the next session's return"):
        refuse_leaks(with_feature(data, following))


def test_a_feature_of_a_month_that_is_shifted_by_a_session_is_told_of(data: Dataset) -> None:
    shifted = data.matrix(data.x[:, data.features.index("momentum_21")])
    shifted = np.vstack([shifted[1:], np.full(shifted.shape[1], np.nan)])
    notes: list[str] = []
    refuse_leaks(with_feature(data, shifted[data.row_session, data.row_symbol]), notes.append)
    assert [line.split(" has")[0] for line in notes] == ["feature mine"]


def test_a_session_that_is_missing_has_no_next_one(data: Dataset) -> None:
    gap = replace(data, label_start=np.where(np.arange(400) < 100, data.label_start, data.label_start + 1))
    assert np.isnan(next_returns(gap)[99]).all()
    np.testing.assert_array_equal(next_returns(gap)[98], data.daily_return[99])
    assert np.isnan(next_returns(data)[-1]).all()
