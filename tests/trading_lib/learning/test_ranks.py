"""Ranks within sessions."""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata

from trading_lib.learning.ranks import session_ranks


def test_ranks_are_evenly_spaced_around_zero_and_follow_the_values() -> None:
    assert session_ranks(np.array([[3.0, 1.0, 2.0], [-1.0, 5.0, 0.0]])).tolist() == [[0.5, -0.5, 0.0], [-0.5, 0.5, 0.0]]


def test_ties_share_their_mean_rank_and_a_missing_value_has_none() -> None:
    ranks = session_ranks(np.array([[2.0, np.nan, 2.0, 1.0], [7.0, np.nan, np.nan, np.nan], [np.nan] * 4]))
    np.testing.assert_array_equal(ranks[0], [0.25, np.nan, 0.25, -0.5])
    np.testing.assert_array_equal(ranks[1], [0.0, np.nan, np.nan, np.nan])
    assert np.isnan(ranks[2]).all()


def test_random_ranks_equal_those_of_scipy() -> None:
    random = np.random.default_rng(1)
    values = np.round(random.normal(size=(200, 11)), 1)
    values[random.random(values.shape) < 0.3] = np.nan
    for row, ranks in zip(values, session_ranks(values), strict=True):
        kept = ~np.isnan(row)
        expected = (rankdata(row[kept]) - 1) / (kept.sum() - 1) - 0.5
        np.testing.assert_allclose(ranks[kept], expected, atol=1e-12)
