"""Probability of backtest overfitting: by hand, by a slow second version, and where the answer is known."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pytest
from scipy.stats import rankdata

from trading_lib.domain.errors import InputError
from trading_lib.performance.significance.overfitting import probability_of_overfitting


def sharpe(values: np.ndarray) -> np.ndarray:
    return values.mean(axis=0) / values.std(axis=0, ddof=1)


def slowly(returns: np.ndarray, blocks: int) -> tuple[list[float], list[float]]:
    """The paper's steps one after the other: logits, and Sharpe ratios out of sample of the best in sample."""
    edges = np.linspace(0, len(returns), blocks + 1).round().astype(int)
    parts = [returns[a:b] for a, b in pairwise(edges)]
    logits, outcomes = [], []
    for chosen in combinations(range(blocks), blocks // 2):
        inside = np.concatenate([parts[b] for b in chosen])
        outside = np.concatenate([parts[b] for b in range(blocks) if b not in chosen])
        best = int(sharpe(inside).argmax())
        relative = rankdata(sharpe(outside))[best] / (returns.shape[1] + 1)
        logits.append(float(np.log(relative / (1 - relative))))
        outcomes.append(float(sharpe(outside)[best]))
    return logits, outcomes


def test_two_trials_that_take_turns_by_hand() -> None:
    """Each is good in one half and bad in the other, so the best in sample is always the worst out of sample."""
    up, down = [0.02, 0.01], [-0.02, -0.01]
    returns = np.array([[*up, *up, *down, *down], [*down, *down, *up, *up]]).T
    found = probability_of_overfitting(returns, blocks=2)
    assert found.splits == 2
    assert found.probability == 1.0
    assert found.probability_of_loss == 1.0
    # Rank 1 of 2: a relative rank of 1/3, whose odds are 1 to 2.
    assert found.logits.tolist() == pytest.approx([np.log(0.5)] * 2)


@pytest.mark.parametrize(("periods", "trials", "blocks"), [(60, 5, 6), (97, 3, 8), (40, 20, 4)])
def test_as_the_paper_describes_it(periods: int, trials: int, blocks: int) -> None:
    returns = np.random.default_rng(periods).normal(0.001, 0.01, (periods, trials))
    found = probability_of_overfitting(returns, blocks)
    logits, outcomes = slowly(returns, blocks)
    assert found.logits.tolist() == pytest.approx(logits)
    assert found.probability == np.mean(np.array(logits) <= 0)
    assert found.probability_of_loss == np.mean(np.array(outcomes) < 0)
    assert (found.trials, found.blocks) == (trials, blocks)


def test_sixteen_blocks_give_the_papers_number_of_splits() -> None:
    assert probability_of_overfitting(np.random.default_rng(1).normal(size=(200, 4))).splits == 12_870


def test_pure_noise_is_overfitted_half_of_the_time() -> None:
    found = [
        probability_of_overfitting(np.random.default_rng(seed).normal(0, 0.01, (320, 20)), 10).probability
        for seed in range(60)
    ]
    assert np.mean(found) == pytest.approx(0.5, abs=0.08)


def test_a_trial_that_is_better_throughout_is_not_overfitted() -> None:
    returns = np.random.default_rng(2).normal(0, 0.01, (500, 30))
    returns[:, 7] += 0.005
    found = probability_of_overfitting(returns, 10)
    assert found.probability < 0.01
    assert found.probability_of_loss < 0.01


def test_the_order_of_the_trials_does_not_matter() -> None:
    returns = np.random.default_rng(3).normal(0, 0.01, (200, 9))
    shuffled = returns[:, np.random.default_rng(4).permutation(9)]
    one, other = (probability_of_overfitting(values, 8) for values in (returns, shuffled))
    assert one.logits == pytest.approx(other.logits)
    assert one.degradation == pytest.approx(other.degradation)


def test_a_trial_that_never_trades_is_ranked_and_never_wins_over_a_gain() -> None:
    returns = np.random.default_rng(5).normal(0.002, 0.01, (200, 3))
    returns[:, 1] = 0.0
    found = probability_of_overfitting(returns, 6)
    assert np.isfinite(found.logits).all()
    assert found.probability_of_loss < 0.5


def test_trials_that_are_all_the_same_share_the_median() -> None:
    same = np.repeat(np.random.default_rng(5).normal(0.002, 0.01, (80, 1)), 4, axis=1)
    found = probability_of_overfitting(same, 4)
    assert found.logits.tolist() == pytest.approx([0.0] * 6, abs=1e-12)
    assert found.probability == 1.0


@pytest.mark.parametrize(
    ("returns", "blocks", "words"),
    [
        (np.zeros((50, 1)), 4, "at least two trials"),
        (np.zeros(50), 4, "at least two trials"),
        (np.full((50, 2), np.nan), 4, "trial 0 has no return in period 0"),
        (np.zeros((50, 2)), 5, "5 blocks cannot be halved"),
        (np.zeros((50, 2)), 0, "0 blocks cannot be halved"),
        (np.zeros((7, 2)), 4, "7 periods are too few for 4 blocks"),
    ],
)
def test_what_cannot_be_judged_says_so(returns: np.ndarray, blocks: int, words: str) -> None:
    with pytest.raises(InputError, match=words):
        probability_of_overfitting(returns, blocks)
