"""Ridge regression in closed form; standardised on the training rows, what is missing counts as their mean."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from trading_lib.domain.market.prices import FloatArray, IntegerArray
from trading_lib.learning.config import RidgeConfig
from trading_lib.learning.dataset import Dataset
from trading_lib.learning.models.columns import require_columns, training_part
from trading_lib.learning.models.moments import Standardisation, moments, standardised_gram, standardised_product
from trading_lib.learning.models.one_thread import one_thread

FILE = "ridge.json"
# Beyond them a sum's rounding depends on the order it was added up in, and so on the processor.
DIGITS = 12


@dataclass(frozen=True, slots=True)
class RidgeModel:
    """A linear score of standardised features.

    Attributes
    ----------
    standard
        From the training rows.
    weights
        Shape (F,).
    intercept
        Score of the training mean.
    """

    kind: ClassVar[str] = "ridge"
    features: tuple[str, ...]
    standard: Standardisation
    weights: FloatArray
    intercept: float

    def predict(self, x: FloatArray, features: tuple[str, ...], sessions: IntegerArray | None = None) -> FloatArray:
        """See `trading_lib.learning.model.Model`."""
        # Not a matrix product: its rounding depends on how many rows there are.
        scores: FloatArray = self.contributions(x, features).sum(axis=1)
        return scores

    def contributions(
        self, x: FloatArray, features: tuple[str, ...], sessions: IntegerArray | None = None
    ) -> FloatArray:
        """See `trading_lib.learning.model.Model`."""
        require_columns(self.kind, self.features, x, features)
        return np.column_stack([self.standard.apply(x) * self.weights, np.full(len(x), self.intercept)])

    def files(self) -> Mapping[str, bytes]:
        """See `trading_lib.learning.model.Model`."""
        content = {
            "kind": self.kind,
            "features": list(self.features),
            "mean": self.standard.mean.tolist(),
            "inverse_deviation": self.standard.inverse.tolist(),
            "weights": self.weights.tolist(),
            "intercept": self.intercept,
        }
        return {FILE: (json.dumps(content, indent=1) + "\n").encode()}


@dataclass(frozen=True, slots=True)
class RidgeLearner:
    """Fits a `RidgeModel`."""

    kind: ClassVar[str] = "ridge"
    config: RidgeConfig

    def fit(self, data: Dataset, rows: IntegerArray, seed: int, threads: int = 1) -> RidgeModel:
        """See `trading_lib.learning.model.Learner`; neither seed nor threads matter."""
        x, y = training_part(self.kind, data, rows)
        with one_thread():
            chunk = moments(x)
            standard, gram = standardised_gram([chunk])
            product = standardised_product([chunk], [(chunk.centred.T @ y, chunk.seen.T @ y)], standard)
            weights = np.asarray(np.linalg.solve(gram + self.config.penalty * np.eye(len(gram)), product), dtype=float)
        rounded = Standardisation(_rounded(standard.mean), _rounded(standard.inverse))
        return RidgeModel(data.features, rounded, _rounded(weights), float(_rounded(y.mean(keepdims=True))[0]))


def _rounded(values: FloatArray) -> FloatArray:
    return np.array([float(f"{value:.{DIGITS}g}") for value in values])
