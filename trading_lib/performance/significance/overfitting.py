"""Does the best of many trials stay good out of sample? Probability of backtest overfitting.

Combinatorially symmetric cross-validation of Bailey, Borwein, Lopez de Prado and Zhu, "The Probability of Backtest
Overfitting", Journal of Computational Finance 20 (2017; written 2013 to 2015): the periods are cut into an even number
of blocks; for every choice of half of them, the trial that is best there is ranked on the other half.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from trading_lib.domain.errors import InputError
from trading_lib.domain.market.prices import FloatArray

# Splits whose figures are held in memory at once.
CHUNK = 256
Outcome = tuple[FloatArray, FloatArray, FloatArray]


@dataclass(frozen=True, slots=True)
class Overfitting:
    """Result of the cross-validation.

    Attributes
    ----------
    probability
        Share of splits in which the best trial in sample ends at or below the median out of sample.
    logits
        Shape (splits,): log odds of its relative rank out of sample; 0 is the median, negative is worse.
    probability_of_loss
        Share of splits in which its Sharpe ratio out of sample is negative.
    degradation
        Slope of its Sharpe ratio out of sample on the one in sample, over the splits; NaN when that never varies.
    """

    probability: float
    logits: FloatArray
    probability_of_loss: float
    degradation: float
    trials: int
    blocks: int

    @property
    def splits(self) -> int:
        """Number of ways to choose half of the blocks."""
        return len(self.logits)


def probability_of_overfitting(returns: FloatArray, blocks: int = 16) -> Overfitting:
    """Cross-validate the choice of the best trial by Sharpe ratio.

    Parameters
    ----------
    returns
        Excess returns, shape (periods, trials), finite, the same periods for all trials.
    blocks
        Even; blocks differ by at most one period. 16 gives 12,870 splits.

    Raises
    ------
    InputError
        With fewer than two trials, a value that is not finite, an odd number of blocks, or fewer than two periods a
        block.
    """
    _check(returns, blocks)
    periods, trials = returns.shape
    edges = np.linspace(0, periods, blocks + 1).round().astype(np.int64)
    # Centring by trial changes no standard deviation and keeps the sums of squares from cancelling.
    centre = returns.mean(axis=0)
    centred = returns - centre
    sums = np.add.reduceat(centred, edges[:-1], axis=0)
    squares = np.add.reduceat(centred**2, edges[:-1], axis=0)
    counts = np.diff(edges).astype(np.float64)
    halves = np.array(list(combinations(range(blocks), blocks // 2)))
    chosen = np.zeros((len(halves), blocks))
    np.put_along_axis(chosen, halves, 1.0, axis=1)
    # In the order of combinations the second half are the complements of the first, backwards: in sample and out of
    # sample change places.
    first: list[Outcome] = []
    second: list[Outcome] = []
    for at in range(0, len(chosen) // 2, CHUNK):
        mask = chosen[at : min(at + CHUNK, len(chosen) // 2)]
        one, other = (_sharpe(m @ sums, m @ squares, (m @ counts)[:, None], centre) for m in (mask, 1.0 - mask))
        first.append(_judge(one, other))
        second.append(_judge(other, one))
    rank, inside, outside = (
        np.concatenate([np.concatenate(a), np.concatenate(b)[::-1]])
        for a, b in zip(zip(*first, strict=True), zip(*second, strict=True), strict=True)
    )
    relative = rank / (trials + 1)
    logits = np.log(relative / (1.0 - relative))
    return Overfitting(
        probability=float((logits <= 0.0).mean()),
        logits=logits,
        probability_of_loss=float((outside < 0.0).mean()),
        degradation=_slope(inside, outside),
        trials=trials,
        blocks=blocks,
    )


def _check(returns: FloatArray, blocks: int) -> None:
    if returns.ndim != 2 or returns.shape[1] < 2:
        raise InputError("overfitting is judged over at least two trials", "give returns of (periods, trials)")
    if not np.isfinite(returns).all():
        row, column = np.argwhere(~np.isfinite(returns))[0]
        raise InputError(f"trial {column} has no return in period {row}", "use periods that all trials have")
    if blocks < 2 or blocks % 2:
        raise InputError(f"{blocks} blocks cannot be halved", "choose an even number")
    if len(returns) < 2 * blocks:
        raise InputError(
            f"{len(returns)} periods are too few for {blocks} blocks", "choose fewer blocks or a longer window"
        )


def _judge(inside: FloatArray, outside: FloatArray) -> Outcome:
    """Rank out of sample of the best trial in sample (ties share their rank), and its two Sharpe ratios."""
    rows = np.arange(len(inside))
    best = inside.argmax(axis=1)
    own = outside[rows, best]
    below = np.count_nonzero(outside < own[:, None], axis=1)
    equal = np.count_nonzero(outside == own[:, None], axis=1)
    return below + (equal + 1.0) / 2.0, inside[rows, best], own


def _sharpe(total: FloatArray, squares: FloatArray, count: FloatArray, centre: FloatArray) -> FloatArray:
    """Sharpe ratio per period from sums of centred returns; 0 for a trial that does not vary."""
    variance = (squares - total**2 / count) / (count - 1.0)
    # A constant trial leaves rounding dust in its variance.
    varies = variance > 1e-20
    ratio: FloatArray = np.where(varies, (total / count + centre) / np.sqrt(np.where(varies, variance, 1.0)), 0.0)
    return ratio


def _slope(inside: FloatArray, outside: FloatArray) -> float:
    centred = inside - inside.mean()
    spread = float(centred @ centred)
    return float(centred @ outside / spread) if spread > 1e-18 else float("nan")
