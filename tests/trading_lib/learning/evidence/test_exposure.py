"""Exposure to single features, and what momentum leaves of scores."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from tests.builders.learning import SIGNAL, synthetic_dataset
from trading_lib.learning.evidence.exposure import feature_exposure, neutral_ic, neutral_scores, pooled_scores
from trading_lib.learning.evidence.information import information_coefficients

DATA = synthetic_dataset(300, assets=10, features=6, ic=0.3, seed=1, horizon=5)
MOMENTUM = DATA.matrix(DATA.x[:, DATA.features.index("momentum_12_1")])
PLANTED = DATA.matrix(DATA.x[:, DATA.features.index(SIGNAL)])


def test_scores_that_are_one_feature_are_named_as_such() -> None:
    # A tree may follow a feature in calm and the other way round in a crisis: the sign does not matter.
    turned = np.where(np.arange(300)[:, None] % 2 == 0, PLANTED, -PLANTED)
    assert feature_exposure(turned, DATA, 8) == (SIGNAL, pytest.approx(1.0))


def test_scores_of_noise_resemble_a_feature_as_much_as_chance_does() -> None:
    noise = np.random.default_rng(2).normal(size=MOMENTUM.shape)
    name, exposure = feature_exposure(noise, DATA, 8)
    assert name in DATA.features
    assert exposure == pytest.approx(np.sqrt(2 / np.pi / 9), abs=0.04)


def test_constant_scores_are_exposed_to_nothing() -> None:
    assert feature_exposure(np.zeros(MOMENTUM.shape), DATA, 8) == ("", 0.0)


def test_paths_are_pooled_by_their_ranks() -> None:
    paths = np.array([[[1.0, 2.0, 300.0]], [[-5.0, 9.0, -7.0]]])
    assert pooled_scores(paths) == pytest.approx(np.array([[-0.25, 0.25, 0.0]]))
    paths[1] = np.nan
    assert pooled_scores(paths) == pytest.approx(np.array([[-0.5, 0.0, 0.5]]))
    assert np.isnan(pooled_scores(np.full((2, 1, 3), np.nan))).all()


def test_residuals_are_those_of_a_regression_of_ranks() -> None:
    generator = np.random.default_rng(3)
    scores, momentum = generator.normal(size=(6, 9)), generator.normal(size=(6, 9))
    scores[2, 4] = np.nan
    for found, one, other in zip(neutral_scores(scores, momentum), scores, momentum, strict=True):
        both = np.isfinite(one)
        own, rank = stats.rankdata(one[both]), stats.rankdata(other[both])
        line = stats.linregress(rank, own)
        expected = (own - line.intercept - line.slope * rank) / (both.sum() - 1)
        assert found[both] == pytest.approx(expected, abs=1e-12)
        assert np.isnan(found[~both]).all()


def test_momentum_itself_knows_nothing_beside_momentum() -> None:
    assert neutral_ic(np.exp(MOMENTUM), MOMENTUM, DATA, 8) == 0.0


def test_what_is_not_momentum_stays() -> None:
    both = stats.rankdata(PLANTED, axis=1) + 2.0 * stats.rankdata(MOMENTUM, axis=1)
    labels = DATA.matrix(DATA.y)
    alone = information_coefficients(PLANTED, labels).mean()
    assert information_coefficients(both, labels).mean() < 0.75 * alone
    assert neutral_ic(both, MOMENTUM, DATA, 8) == pytest.approx(alone, abs=0.05)
