"""What scores did, session by session: `Track`, from scores out of sample. Every other figure is read off it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from trading_lib.domain.market.prices import FloatArray
from trading_lib.learning.config import BookConfig
from trading_lib.learning.dataset import Dataset
from trading_lib.learning.evidence.book import annual_sharpe, equal_weight_returns, tranche_book
from trading_lib.learning.evidence.information import mean_known, mean_over_paths, path_coefficients


class Scored(Protocol):
    """Scores of a model or baseline, as cross-validation hands them over.

    Attributes
    ----------
    paths
        Shape (P, S, n): out of sample, NaN where it did not score.
    train
        Shape (splits, S, n): what each split's model says of the sessions it was trained on, NaN elsewhere.
    """

    @property
    def paths(self) -> FloatArray:
        """Scores out of sample."""
        ...

    @property
    def train(self) -> FloatArray:
        """Scores in sample, by split."""
        ...


@dataclass(frozen=True, slots=True)
class Track:
    """Information coefficients and returns of every path.

    Attributes
    ----------
    ics
        Shape (P, S); NaN where there is none.
    returns
        Shape (P, S): of the book of the highest scores, after costs; NaN before the first scored session.
    active
        Shape (P, S): less those of the universe in equal weights, held by the same rules over the same sessions.
    """

    ics: FloatArray
    returns: FloatArray
    active: FloatArray

    @property
    def ic(self) -> FloatArray:
        """Mean coefficient of each session over the paths, shape (S,)."""
        return mean_over_paths(self.ics)

    @property
    def ic_mean(self) -> float:
        """Mean of `ic`."""
        return mean_known(self.ic)

    @property
    def active_return(self) -> FloatArray:
        """Active return of money spread over the paths, shape (S,)."""
        return mean_over_paths(self.active)

    @property
    def ic_by_path(self) -> tuple[float, ...]:
        """Mean coefficient of each path."""
        return tuple(mean_known(path) for path in self.ics)

    @property
    def sharpe_by_path(self) -> tuple[float, ...]:
        """Annualised Sharpe ratio of each path's book."""
        return tuple(annual_sharpe(path[np.isfinite(path)]) for path in self.returns)

    @property
    def active_sharpe_by_path(self) -> tuple[float, ...]:
        """Annualised Sharpe ratio of each path's active return."""
        return tuple(annual_sharpe(path[np.isfinite(path)]) for path in self.active)


def follow(paths: FloatArray, data: Dataset, book: BookConfig, minimum_assets: int) -> Track:
    """Follow scores, shape (P, S, n), through the sessions."""
    labels = data.matrix(data.y)
    pairs = [_returns(path, data, book) for path in paths]
    return Track(
        ics=path_coefficients(paths, labels, minimum_assets),
        returns=np.stack([returns for returns, _ in pairs]),
        active=np.stack([active for _, active in pairs]),
    )


def train_sharpe(train: FloatArray, data: Dataset, book: BookConfig) -> float:
    """Mean over the splits of the annualised active Sharpe ratio in sample; NaN where a split has none, or without any.

    Where a split does not train both books keep what they hold, and those sessions do not count.
    """
    found = []
    for scores in train:
        _, active = _returns(scores, data, book)
        found.append(annual_sharpe(active[np.isfinite(active) & np.isfinite(scores).any(axis=1)]))
    return float(np.mean(found)) if found else math.nan


def _returns(scores: FloatArray, data: Dataset, book: BookConfig) -> tuple[FloatArray, FloatArray]:
    """Compute returns and active returns of one path, NaN before its first score."""
    scored: np.ndarray = np.isfinite(scores).sum(axis=1) > 0
    if not scored.any():
        nothing = np.full(len(scores), np.nan)
        return nothing, nothing
    # The universe is bought when the model may buy: where it abstains as a whole, neither is renewed.
    universe = np.isfinite(data.matrix(data.y)) & scored[:, None]
    own = tranche_book(scores, data.daily_return, data.tradable, book)
    whole = equal_weight_returns(universe, data.daily_return, data.tradable, book)
    known = np.arange(len(scores)) >= int(scored.argmax())
    return np.where(known, own, np.nan), np.where(known, own - whole, np.nan)
