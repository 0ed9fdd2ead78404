"""Ridge regressions of all splits of a plan at once, for any number of labels of the same rows.

The sessions are cut wherever a training part or a fold begins or ends, and each piece is summed up once; a training
part's Gram matrix is the sum of its pieces'. Other labels need two thin matrix products, a small one per split, and the
scores.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from trading_lib.domain.market.prices import FloatArray, IntegerArray
from trading_lib.learning.config import RidgeConfig
from trading_lib.learning.dataset import Dataset
from trading_lib.learning.models.columns import require_columns, require_labels
from trading_lib.learning.models.moments import moments, standardised_gram, standardised_product
from trading_lib.learning.models.one_thread import one_thread
from trading_lib.learning.splits.out_of_sample import OutOfSample, paths_of
from trading_lib.learning.splits.plan import Plan


class RidgeSystem:
    """All that does not depend on the labels.

    Parameters
    ----------
    data
        Its labels are not looked at.
    """

    def __init__(self, data: Dataset, plan: Plan, config: RidgeConfig) -> None:
        require_columns("ridge", data.features, data.x, data.features)
        self._data, self._plan, self._config = data, plan, config
        cuts = _cuts(plan, len(data.sessions))
        bounds = np.searchsorted(data.row_session, cuts)
        self._rows = [slice(first, last) for first, last in pairwise(bounds)]
        self._train = [_members(split.train, cuts, self._rows) for split in plan.splits]
        self._test = [_members(split.test, cuts, self._rows) for split in plan.splits]
        with one_thread():
            self._sum_up()

    def _sum_up(self) -> None:
        self._pieces = [moments(self._data.x[rows]) for rows in self._rows]
        grams = [standardised_gram([self._pieces[piece] for piece in part]) for part in self._train]
        self._standards = [standard for standard, _ in grams]
        penalty = self._config.penalty * np.eye(self._data.x.shape[1])
        self._inverses = [np.asarray(np.linalg.inv(gram + penalty), dtype=float) for _, gram in grams]

    def paths(self, y: FloatArray) -> FloatArray:
        """Scores of models of these labels, shape (R,), put together to paths of shape (P, S, n)."""
        scores = np.full((len(self._plan.splits), len(self._data)), np.nan)
        with one_thread():
            self._score(scores, self._weights(y), self._test)
        return paths_of(self._plan, self._matrices(scores))

    def out_of_sample(self, y: FloatArray) -> OutOfSample:
        """`paths`, and the training parts' own scores."""
        test = np.full((len(self._plan.splits), len(self._data)), np.nan)
        train = test.copy()
        with one_thread():
            weights = self._weights(y)
            self._score(test, weights, self._test)
            self._score(train, weights, self._train)
        return OutOfSample(paths_of(self._plan, self._matrices(test)), self._matrices(train))

    def _weights(self, y: FloatArray) -> list[tuple[FloatArray, float]]:
        """Weight of every standardised feature, and the mean label, of each split's model."""
        products = [
            (piece.centred.T @ y[rows], piece.seen.T @ y[rows])
            for piece, rows in zip(self._pieces, self._rows, strict=True)
        ]
        found = []
        for part, standard, inverse in zip(self._train, self._standards, self._inverses, strict=True):
            labels = np.concatenate([y[self._rows[piece]] for piece in part])
            require_labels("ridge", labels)
            chunks = [self._pieces[piece] for piece in part]
            product = standardised_product(chunks, [products[piece] for piece in part], standard)
            found.append((inverse @ product, float(labels.mean())))
        return found

    def _score(self, scores: FloatArray, weights: list[tuple[FloatArray, float]], parts: list[list[int]]) -> None:
        for piece, (chunk, rows) in enumerate(zip(self._pieces, self._rows, strict=True)):
            splits = [number for number, part in enumerate(parts) if piece in part]
            if not splits:
                continue
            slopes = np.array([weights[number][0] * self._standards[number].inverse for number in splits])
            shifts = np.array([self._standards[number].mean for number in splits]) - chunk.center
            means = np.array([weights[number][1] for number in splits])
            found = slopes @ chunk.centred.T + means[:, None]
            if chunk.complete:
                found -= (slopes * shifts).sum(axis=1)[:, None]
            else:
                found -= (slopes * shifts) @ chunk.seen.T
            scores[splits, rows] = found

    def _matrices(self, scores: FloatArray) -> FloatArray:
        data = self._data
        spread = np.full((len(scores), len(data.sessions), len(data.symbols)), np.nan)
        spread[:, data.row_session, data.row_symbol] = scores
        return spread


def _cuts(plan: Plan, sessions: int) -> IntegerArray:
    """Positions at which a training part or a fold begins or ends, with both ends of the axis."""
    edges = {0, sessions} | {int(fold[0]) for fold in plan.folds}
    for split in plan.splits:
        inside = np.zeros(sessions + 2, dtype=np.int8)
        inside[split.train + 1] = 1
        edges |= set(np.flatnonzero(np.diff(inside)).tolist())
    return np.array(sorted(edges))


def _members(part: IntegerArray, cuts: IntegerArray, rows: list[slice]) -> list[int]:
    """Pieces of a part that have rows."""
    inside = np.isin(cuts[:-1], part)
    return [int(piece) for piece in np.flatnonzero(inside) if rows[piece].stop > rows[piece].start]
