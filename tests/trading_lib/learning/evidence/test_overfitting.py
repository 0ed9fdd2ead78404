"""Overfitting and deflated Sharpe ratio of active returns, by the functions that judge backtests."""

from __future__ import annotations

import numpy as np
import pytest

from trading_lib.learning.evidence.overfitting import active_overfitting, deflated_active_sharpe, trial_sharpes
from trading_lib.learning.evidence.track import Track
from trading_lib.performance.significance.deflated_sharpe import Trials, judge_sharpe
from trading_lib.performance.significance.overfitting import probability_of_overfitting


def track(active: np.ndarray) -> Track:
    return Track(ics=np.zeros_like(active), returns=active, active=active)


def drawn(mean: float, seed: int, paths: int = 1, sessions: int = 400) -> np.ndarray:
    return np.random.default_rng(seed).normal(mean, 0.01, (paths, sessions))


def test_overfitting_is_judged_over_models_baselines_and_earlier_trials() -> None:
    first, second, earlier = drawn(0.0, 1, 2), drawn(0.0, 2), drawn(0.0, 3, 2).T
    columns = np.column_stack([first.mean(axis=0), second[0], earlier])
    found = active_overfitting({"a": track(first), "b": track(second)}, earlier, 16)
    assert found == probability_of_overfitting(columns, 16).probability
    assert active_overfitting({"a": track(drawn(0.005, 4)), "b": track(second)}, None, 16) < 0.01


def test_sessions_that_a_trial_lacks_are_left_out() -> None:
    first, second = drawn(0.0, 1), drawn(0.0, 2)
    late = first.copy()
    late[0, :80] = np.nan
    found = active_overfitting({"a": track(late), "b": track(second)}, None, 8)
    assert found == active_overfitting({"a": track(first[:, 80:]), "b": track(second[:, 80:])}, None, 8)


def test_too_few_trials_or_sessions_have_no_figure() -> None:
    assert np.isnan(active_overfitting({"a": track(drawn(0.0, 1))}, None, 16))
    short = {"a": track(drawn(0.0, 1, sessions=6)), "b": track(drawn(0.0, 2, sessions=6))}
    assert np.isnan(active_overfitting(short, None, 16))


def test_the_deflated_ratio_is_the_mean_over_the_paths_and_falls_with_the_trials() -> None:
    active = drawn(0.0008, 5, 3)
    trials = Trials(count=4, sharpes=(0.01, 0.05, 0.02, -0.03))
    each = [judge_sharpe(path, 4, trials.sharpes) for path in active]
    expected = np.mean([one.deflated for one in each if one])
    assert deflated_active_sharpe(track(active), trials) == pytest.approx(expected)
    assert deflated_active_sharpe(track(active), Trials(count=400, sharpes=trials.sharpes)) < expected - 0.1
    assert np.isnan(deflated_active_sharpe(track(np.zeros((1, 50))), trials))


def test_trials_that_do_not_vary_have_no_ratio() -> None:
    active = drawn(0.001, 6, 2)
    expected = np.mean([path.mean() / path.std(ddof=1) for path in active])
    assert trial_sharpes({"a": track(active), "equal_weight": track(np.zeros((1, 400)))}) == pytest.approx((expected,))
