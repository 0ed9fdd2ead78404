"""The interfaces of models: a `Learner` is fitted, a `Model` scores.

A model that is stored is a set of native files and a description of them; reading it runs no code of theirs
(`trading_lib.learning.models.loading`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from trading_lib.domain.market.prices import FloatArray, IntegerArray
from trading_lib.learning.dataset import Dataset


class Model(Protocol):
    """A fitted model.

    Attributes
    ----------
    kind
        Name of its learner: "ridge", "lightgbm", "xgboost" or "ensemble".
    features
        Names of its columns; it is asked with the same names in the same order, or refuses.
    """

    @property
    def kind(self) -> str:
        """Name of its learner."""
        ...

    @property
    def features(self) -> tuple[str, ...]:
        """Names of its columns, in order."""
        ...

    def predict(self, x: FloatArray, features: tuple[str, ...], sessions: IntegerArray | None = None) -> FloatArray:
        """Scores of rows, shape (R,), higher is better; comparable within a session.

        Parameters
        ----------
        x
            Shape (R, F), NaN where a feature is missing.
        sessions
            Shape (R,): rows with the same number are one session's; without it all of them are. An ensemble ranks
            within sessions, the others do not look at it.

        Raises
        ------
        InputError
            When ``features`` are not the model's own, in their order.
        """
        ...

    def contributions(
        self, x: FloatArray, features: tuple[str, ...], sessions: IntegerArray | None = None
    ) -> FloatArray:
        """Contribution of every feature to every score, shape (R, F + 1); the last column is the base value."""
        ...

    def files(self) -> Mapping[str, bytes]:
        """Its native files by name; equal bytes for equal training, whatever the number of threads."""
        ...


class Learner(Protocol):
    """Something that learns to rank assets."""

    @property
    def kind(self) -> str:
        """Name by which configuration and reports know it."""
        ...

    def fit(self, data: Dataset, rows: IntegerArray, seed: int, threads: int = 1) -> Model:
        """Learn from some rows of a dataset.

        Parameters
        ----------
        rows
            Shape (R',): positions in the dataset. Nothing else of it may be looked at: scalers are fitted on them too.
        """
        ...
