"""Gradient-boosted trees by LightGBM; deterministic, of equal bytes whatever the number of threads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from trading_lib.domain.errors import InputError
from trading_lib.domain.market.prices import FloatArray, IntegerArray
from trading_lib.learning.config import LightgbmConfig
from trading_lib.learning.dataset import Dataset
from trading_lib.learning.models.columns import require_columns, require_labels, training_part

FILE = "lightgbm.txt"
BINS = 63
# LightGBM writes names into a format of its own, and changes or refuses these.
UNWRITABLE = frozenset(' ,:[]{}"\t\n\r')


@dataclass(frozen=True, slots=True)
class LightgbmModel:
    """Trees, as the library's own text.

    Attributes
    ----------
    text
        The model without its block of parameters, which says how it was trained and not what it is.
    """

    kind: ClassVar[str] = "lightgbm"
    features: tuple[str, ...]
    text: str
    booster: Any = field(repr=False, compare=False)

    def predict(self, x: FloatArray, features: tuple[str, ...], sessions: IntegerArray | None = None) -> FloatArray:
        """See `trading_lib.learning.model.Model`."""
        require_columns(self.kind, self.features, x, features)
        return np.asarray(self.booster.predict(x, num_threads=1), dtype=float) if len(x) else np.empty(0)

    def contributions(
        self, x: FloatArray, features: tuple[str, ...], sessions: IntegerArray | None = None
    ) -> FloatArray:
        """See `trading_lib.learning.model.Model`."""
        require_columns(self.kind, self.features, x, features)
        if not len(x):
            return np.empty((0, len(features) + 1))
        return np.asarray(self.booster.predict(x, pred_contrib=True, num_threads=1), dtype=float)

    def files(self) -> Mapping[str, bytes]:
        """See `trading_lib.learning.model.Model`."""
        return {FILE: self.text.encode()}


@dataclass(frozen=True, slots=True)
class LightgbmLearner:
    """Fits a `LightgbmModel`."""

    kind: ClassVar[str] = "lightgbm"
    config: LightgbmConfig

    def fit(self, data: Dataset, rows: IntegerArray, seed: int, threads: int = 1) -> LightgbmModel:
        """See `trading_lib.learning.model.Learner`."""
        _, y = training_part(self.kind, data, rows)
        return self.prepare(data, rows, seed, threads)(y)

    def prepare(
        self, data: Dataset, rows: IntegerArray, seed: int, threads: int = 1
    ) -> Callable[[FloatArray], LightgbmModel]:
        """Bin the training rows once; what is returned fits their labels, shape (R',), as often as it is asked."""
        import lightgbm

        unwritable = [name for name in data.features if not UNWRITABLE.isdisjoint(name)]
        if unwritable:
            raise InputError(f"LightGBM cannot write the feature name {unwritable[0]!r}", "rename the feature")
        parameters = self._parameters(seed, threads)
        binned = lightgbm.Dataset(
            data.x[rows], data.y[rows], feature_name=list(data.features), params=parameters, free_raw_data=True
        ).construct()

        def fit(y: FloatArray) -> LightgbmModel:
            require_labels(self.kind, y)
            binned.set_label(y)
            booster = lightgbm.train(parameters, binned, num_boost_round=self.config.rounds)
            return read_text(data.features, _without_parameters(booster.model_to_string()))

        return fit

    def _parameters(self, seed: int, threads: int) -> dict[str, Any]:
        return {
            "objective": "regression",
            "num_leaves": self.config.leaves,
            "learning_rate": self.config.learning_rate,
            "min_data_in_leaf": self.config.minimum_rows,
            "feature_fraction": self.config.feature_share,
            "max_bin": BINS,
            "seed": seed,
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": threads,
            "verbosity": -1,
        }


def read_text(features: tuple[str, ...], text: str) -> LightgbmModel:
    """Read a model's text; whoever got it from elsewhere checks it first (`trading_lib.learning.models.loading`)."""
    import lightgbm

    return LightgbmModel(features, text, lightgbm.Booster(model_str=text))


def _without_parameters(text: str) -> str:
    head, _, rest = text.partition("\nparameters:\n")
    return head + "\n" + rest.partition("end of parameters\n")[2].lstrip("\n")
