"""Tracks of scores: from which session on, over which sessions, against what."""

from __future__ import annotations

import numpy as np
import pytest

from tests.builders.learning import SIGNAL, synthetic_dataset
from trading_lib.learning.config import BookConfig
from trading_lib.learning.evidence.book import annual_sharpe, equal_weight_returns, tranche_book
from trading_lib.learning.evidence.track import follow, train_sharpe

DATA = synthetic_dataset(400, assets=10, features=4, ic=0.2, seed=1, horizon=5)
PLANTED = DATA.matrix(DATA.x[:, DATA.features.index(SIGNAL)])
BOOK = BookConfig(positions=3, tranches=5)
ALL = np.ones(PLANTED.shape, dtype=bool)


def test_a_track_is_the_book_of_each_path_against_equal_weights() -> None:
    track = follow(np.stack([PLANTED, -PLANTED]), DATA, BOOK, 8)
    own = tranche_book(-PLANTED, DATA.daily_return, DATA.tradable, BOOK)
    assert track.returns[1] == pytest.approx(own)
    whole = equal_weight_returns(ALL, DATA.daily_return, DATA.tradable, BOOK)
    assert track.active[1] == pytest.approx(own - whole)
    assert track.active_sharpe_by_path[1] == pytest.approx(annual_sharpe(own - whole))
    assert track.sharpe_by_path[1] == pytest.approx(annual_sharpe(own))
    assert track.ic_by_path[0] == pytest.approx(-track.ic_by_path[1]) != 0.0
    assert track.ic_mean == pytest.approx(0.0)
    assert track.active_return == pytest.approx(track.active.mean(axis=0))


def test_sessions_before_the_first_score_are_nobodys() -> None:
    late = PLANTED.copy()
    late[:100] = np.nan
    track = follow(late[None], DATA, BOOK, 8)
    assert np.isnan(track.returns[0, :100]).all()
    assert np.isnan(track.active[0, :100]).all()
    # Both books are bought in the first scored session: the difference of their returns begins with nothing.
    assert track.returns[0, 100] == track.active[0, 100] + track.returns[0, 100] < 0.0
    assert np.isfinite(track.active[0, 100:]).all()
    assert np.isfinite(track.ics[0]).sum() == 300


def test_scores_of_nothing_have_no_track() -> None:
    track = follow(np.full((1, *PLANTED.shape), np.nan), DATA, BOOK, 8)
    assert np.isnan(track.active).all()
    assert np.isnan([track.ic_mean, *track.active_sharpe_by_path]).all()


def test_the_sharpe_ratio_in_training_counts_training_sessions_alone() -> None:
    inside = PLANTED.copy()
    inside[150:250] = np.nan
    whole = equal_weight_returns(np.isfinite(inside), DATA.daily_return, DATA.tradable, BOOK)
    active = tranche_book(inside, DATA.daily_return, DATA.tradable, BOOK) - whole
    expected = annual_sharpe(np.delete(active, np.s_[150:250]))
    assert train_sharpe(inside[None], DATA, BOOK) == pytest.approx(expected)
    other = annual_sharpe(follow(PLANTED[None], DATA, BOOK, 8).active[0])
    assert train_sharpe(np.stack([inside, PLANTED]), DATA, BOOK) == pytest.approx((expected + other) / 2)
    assert np.isnan(train_sharpe(np.empty((0, *PLANTED.shape)), DATA, BOOK))
