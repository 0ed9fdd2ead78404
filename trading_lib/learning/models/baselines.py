"""What a model has to beat: twelve-month momentum, each asset's mean rank, nothing at all. None of them is stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

import numpy as np

from trading_lib.domain.errors import InputError
from trading_lib.domain.market.prices import FloatArray, IntegerArray
from trading_lib.learning.dataset import Dataset
from trading_lib.learning.model import Learner, Model
from trading_lib.learning.models.columns import require_columns

MOMENTUM = "momentum_12_1"


@runtime_checkable
class RanksAssets(Protocol):
    """A model that goes by the asset and not by its features."""

    def score_assets(self, row_symbol: IntegerArray) -> FloatArray:
        """Scores of rows by their assets, as positions in the dataset's."""
        ...


def score_rows(model: Model, data: Dataset, rows: IntegerArray) -> FloatArray:
    """Scores of some rows of a dataset, by any model, shape (len(rows),)."""
    if isinstance(model, RanksAssets):
        return model.score_assets(data.row_symbol[rows])
    return model.predict(data.x[rows], data.features, data.row_session[rows])


@dataclass(frozen=True, slots=True)
class ColumnModel:
    """Scores by one feature as it is; where it is missing there is no score."""

    kind: ClassVar[str] = MOMENTUM
    features: tuple[str, ...]
    column: int

    def predict(self, x: FloatArray, features: tuple[str, ...], sessions: IntegerArray | None = None) -> FloatArray:
        """See `trading_lib.learning.model.Model`."""
        require_columns(self.kind, self.features, x, features)
        return x[:, self.column].copy()

    def contributions(
        self, x: FloatArray, features: tuple[str, ...], sessions: IntegerArray | None = None
    ) -> FloatArray:
        """See `trading_lib.learning.model.Model`."""
        parts = np.zeros((len(x), len(features) + 1))
        parts[:, self.column] = self.predict(x, features)
        return parts

    def files(self) -> Mapping[str, bytes]:
        """Nothing."""
        return {}


@dataclass(frozen=True, slots=True)
class Momentum:
    """Twelve-month momentum without the last month, the feature `momentum_12_1`; learns nothing."""

    kind: ClassVar[str] = MOMENTUM

    def fit(self, data: Dataset, rows: IntegerArray, seed: int, threads: int = 1) -> ColumnModel:
        """See `trading_lib.learning.model.Learner`."""
        if MOMENTUM not in data.features:
            raise InputError(
                f"there is no feature {MOMENTUM}, the baseline of every model", "keep it among the features"
            )
        return ColumnModel(data.features, data.features.index(MOMENTUM))


@dataclass(frozen=True, slots=True)
class AssetModel:
    """Scores every asset by a number of its own, shape (n,)."""

    kind: str
    features: tuple[str, ...]
    scores: FloatArray

    def score_assets(self, row_symbol: IntegerArray) -> FloatArray:
        """See `RanksAssets`."""
        return self.scores[row_symbol]

    def predict(self, x: FloatArray, features: tuple[str, ...], sessions: IntegerArray | None = None) -> FloatArray:
        """Refuse: features do not say which asset a row is."""
        raise InputError(f"{self.kind} scores assets, not features", "use score_rows")

    def contributions(
        self, x: FloatArray, features: tuple[str, ...], sessions: IntegerArray | None = None
    ) -> FloatArray:
        """Refuse, like `predict`."""
        raise InputError(f"{self.kind} scores assets, not features", "there is nothing to attribute")

    def files(self) -> Mapping[str, bytes]:
        """Nothing."""
        return {}


@dataclass(frozen=True, slots=True)
class StaticMeanRank:
    """Each asset's mean rank in the training part, which is all that a model of which assets did well knows."""

    kind: ClassVar[str] = "static_mean_rank"

    def fit(self, data: Dataset, rows: IntegerArray, seed: int, threads: int = 1) -> AssetModel:
        """See `trading_lib.learning.model.Learner`; an asset without a training row scores 0, the middle."""
        count = len(data.symbols)
        totals = np.bincount(data.row_symbol[rows], data.y[rows], count)
        seen = np.bincount(data.row_symbol[rows], minlength=count)
        return AssetModel(self.kind, data.features, totals / np.maximum(seen, 1))


@dataclass(frozen=True, slots=True)
class EqualWeight:
    """No opinion: the same score for every asset."""

    kind: ClassVar[str] = "equal_weight"

    def fit(self, data: Dataset, rows: IntegerArray, seed: int, threads: int = 1) -> AssetModel:
        """See `trading_lib.learning.model.Learner`."""
        return AssetModel(self.kind, data.features, np.zeros(len(data.symbols)))


BASELINES: Mapping[str, Learner] = {learner.kind: learner for learner in (Momentum(), StaticMeanRank(), EqualWeight())}
