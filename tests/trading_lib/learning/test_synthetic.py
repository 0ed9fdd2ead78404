"""The made-up dataset that the tests of models learn from is what it says."""

from __future__ import annotations

import numpy as np
import pytest

from tests.builders.learning import SIGNAL, synthetic_dataset
from trading_lib.domain.market.prices import FloatArray
from trading_lib.learning.dataset import Dataset
from trading_lib.learning.ranks import session_ranks


def mean_ic(data: Dataset, feature: str) -> float:
    scores: FloatArray = session_ranks(data.matrix(data.x[:, data.features.index(feature)]))
    labels = data.matrix(data.y)
    return float(np.mean((scores * labels).mean(axis=1) / (labels * labels).mean(axis=1)))


@pytest.mark.parametrize("planted", [0.0, 0.1])
def test_the_signal_predicts_as_well_as_it_was_told_to(planted: float) -> None:
    found = [mean_ic(synthetic_dataset(ic=planted, seed=seed, features=4), SIGNAL) for seed in range(6)]
    assert np.mean(found) == pytest.approx(planted, abs=0.025)


def test_nothing_else_predicts() -> None:
    data = [synthetic_dataset(ic=0.1, seed=seed, features=7) for seed in range(6)]
    for feature in ("momentum_12_1", "momentum_21", "noise_00", "noise_02"):
        assert abs(np.mean([mean_ic(each, feature) for each in data])) < 0.04


def test_features_are_as_much_alike_as_real_ones() -> None:
    data = synthetic_dataset(seed=3)
    within = [values - values.mean(axis=1, keepdims=True) for values in map(data.matrix, data.x.T)]
    varying = [values.ravel() for values in within if values.std() > 1e-9]
    assert len(data.features) - len(varying) == len([name for name in data.features if "market" in name]) == 7
    strengths = np.linalg.eigvalsh(np.corrcoef(varying))
    # Of the funds from 2007 to 2022: 6.1.
    assert strengths.sum() ** 2 / (strengths**2).sum() == pytest.approx(6.1, abs=1.5)


def test_labels_overlap_as_real_ones_do() -> None:
    data = synthetic_dataset(sessions=300, seed=1, horizon=21)
    grown = np.cumprod(1.0 + data.daily_return, axis=0)
    forward = data.matrix(data.forward)
    np.testing.assert_allclose(forward[0], grown[21] / grown[0] - 1.0, rtol=1e-9)
    np.testing.assert_array_equal(data.label_end - data.label_start, 21)


def test_the_same_seed_draws_the_same_dataset() -> None:
    first, again, other = (synthetic_dataset(sessions=100, seed=seed, missing=0.1) for seed in (4, 4, 5))
    assert first.digest == again.digest != other.digest
