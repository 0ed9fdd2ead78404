"""The average of its members' ranks within each session."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from trading_lib.domain.market.prices import FloatArray, IntegerArray
from trading_lib.learning.dataset import Dataset
from trading_lib.learning.model import Learner, Model
from trading_lib.learning.models.columns import require_columns
from trading_lib.learning.ranks import session_ranks

FILE = "ensemble.json"


@dataclass(frozen=True, slots=True)
class EnsembleModel:
    """Members of equal weight.

    A rank is no sum over features. A contribution is the mean of the members' contributions, each in standard
    deviations of its member's scores within the session; the base value makes up for the difference to the score.
    """

    kind: ClassVar[str] = "ensemble"
    features: tuple[str, ...]
    members: tuple[Model, ...]

    def predict(self, x: FloatArray, features: tuple[str, ...], sessions: IntegerArray | None = None) -> FloatArray:
        """See `trading_lib.learning.model.Model`; scores are in [-0.5, 0.5]."""
        require_columns(self.kind, self.features, x, features)
        if not len(x):
            return np.empty(0)
        at, place = _spread(len(x), sessions)
        matrices = []
        for member in self.members:
            matrix = np.full((at.max() + 1, place.max() + 1), np.nan)
            matrix[at, place] = member.predict(x, features)
            matrices.append(matrix)
        return mean_ranks(matrices)[at, place]

    def contributions(
        self, x: FloatArray, features: tuple[str, ...], sessions: IntegerArray | None = None
    ) -> FloatArray:
        """See `trading_lib.learning.model.Model`."""
        scores = self.predict(x, features, sessions)
        total = np.zeros((len(x), len(features) + 1))
        if not len(x):
            return total
        at, _ = _spread(len(x), sessions)
        for member in self.members:
            parts = member.contributions(x, features)[:, :-1]
            member_scores = member.predict(x, features)
            deviation = np.array([member_scores[at == session].std() for session in range(at.max() + 1)])[at]
            total[:, :-1] += parts / np.where(deviation > 0, deviation, np.inf)[:, None] / len(self.members)
        total[:, -1] = scores - total[:, :-1].sum(axis=1)
        return total

    def files(self) -> Mapping[str, bytes]:
        """See `trading_lib.learning.model.Model`: the members' files in a folder of each, and a list of them."""
        content = {"kind": self.kind, "features": list(self.features), "members": [m.kind for m in self.members]}
        files = {FILE: (json.dumps(content, indent=1) + "\n").encode()}
        for member in self.members:
            files |= {f"{member.kind}/{name}": content for name, content in member.files().items()}
        return files


@dataclass(frozen=True, slots=True)
class EnsembleLearner:
    """Fits every member on the same rows."""

    kind: ClassVar[str] = "ensemble"
    members: tuple[Learner, ...]

    def fit(self, data: Dataset, rows: IntegerArray, seed: int, threads: int = 1) -> EnsembleModel:
        """See `trading_lib.learning.model.Learner`."""
        return EnsembleModel(data.features, tuple(m.fit(data, rows, seed, threads) for m in self.members))


def mean_ranks(matrices: Sequence[FloatArray]) -> FloatArray:
    """Average members' ranks within sessions.

    Parameters
    ----------
    matrices
        One per member, shape (..., S, n); NaN where there is no score.
    """
    flat = [session_ranks(matrix.reshape(-1, matrix.shape[-1])) for matrix in matrices]
    mean: FloatArray = np.mean(flat, axis=0).reshape(matrices[0].shape)
    return mean


def _spread(rows: int, sessions: IntegerArray | None) -> tuple[IntegerArray, IntegerArray]:
    """Session of every row, counted from 0, and its place among the session's rows."""
    given = np.zeros(rows, dtype=np.int64) if sessions is None else np.asarray(sessions)
    _, at = np.unique(given, return_inverse=True)
    order = np.argsort(at, kind="stable")
    first = np.searchsorted(at[order], at[order])
    place = np.empty(rows, dtype=np.int64)
    place[order] = np.arange(rows) - first
    return at, place
