"""A feature that knows the label is refused by name; noise and honest predictors are not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.builders.learning import synthetic_dataset
from trading_lib.domain.errors import InputError
from trading_lib.domain.market.prices import FloatArray
from trading_lib.learning.dataset import Dataset
from trading_lib.learning.features.leaks import mean_rank_correlation, refuse_leaks


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


def test_half_a_leak_is_told_of(data: Dataset) -> None:
    notes: list[str] = []
    refuse_leaks(with_feature(data, data.y + np.random.default_rng(4).normal(0, 0.4, len(data))), notes.append)
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
