"""Gradient-boosted trees by XGBoost, on histograms.

They are grown by one thread, whatever is offered: several add up a histogram in another order, and round it otherwise.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from trading_lib.domain.market.prices import FloatArray, IntegerArray
from trading_lib.learning.config import XgboostConfig
from trading_lib.learning.dataset import Dataset
from trading_lib.learning.models.columns import require_columns, require_labels, training_part

FILE = "xgboost.json"
BINS = 64


@dataclass(frozen=True, slots=True)
class XgboostModel:
    """Trees, as the library's own JSON."""

    kind: ClassVar[str] = "xgboost"
    features: tuple[str, ...]
    content: bytes
    booster: Any = field(repr=False, compare=False)

    def predict(self, x: FloatArray, features: tuple[str, ...], sessions: IntegerArray | None = None) -> FloatArray:
        """See `trading_lib.learning.model.Model`."""
        return self._ask(x, features)

    def contributions(
        self, x: FloatArray, features: tuple[str, ...], sessions: IntegerArray | None = None
    ) -> FloatArray:
        """See `trading_lib.learning.model.Model`."""
        if not len(x):
            return np.empty((0, len(features) + 1))
        return self._ask(x, features, pred_contribs=True)

    def files(self) -> Mapping[str, bytes]:
        """See `trading_lib.learning.model.Model`."""
        return {FILE: self.content}

    def _ask(self, x: FloatArray, features: tuple[str, ...], **what: bool) -> FloatArray:
        import xgboost

        require_columns(self.kind, self.features, x, features)
        rows = xgboost.DMatrix(x, feature_names=list(features), nthread=1)
        return np.asarray(self.booster.predict(rows, **what), dtype=float)


@dataclass(frozen=True, slots=True)
class XgboostLearner:
    """Fits an `XgboostModel`."""

    kind: ClassVar[str] = "xgboost"
    config: XgboostConfig

    def fit(self, data: Dataset, rows: IntegerArray, seed: int, threads: int = 1) -> XgboostModel:
        """See `trading_lib.learning.model.Learner`."""
        _, y = training_part(self.kind, data, rows)
        return self.prepare(data, rows, seed)(y)

    def prepare(self, data: Dataset, rows: IntegerArray, seed: int) -> Callable[[FloatArray], XgboostModel]:
        """Bin the training rows once; what is returned fits their labels, shape (R',), as often as it is asked."""
        import xgboost

        names = list(data.features)
        with _interrupt_held():
            binned = xgboost.QuantileDMatrix(data.x[rows], data.y[rows], feature_names=names, nthread=1, max_bin=BINS)

        def fit(y: FloatArray) -> XgboostModel:
            require_labels(self.kind, y)
            binned.set_label(y)
            booster = xgboost.train(self._parameters(seed, y), binned, num_boost_round=self.config.rounds)
            # Read back it would say the same, and reading takes as long as growing a few trees.
            return XgboostModel(data.features, bytes(booster.save_raw("json")), booster)

        return fit

    def _parameters(self, seed: int, y: FloatArray) -> dict[str, Any]:
        return {
            "objective": "reg:squarederror",
            "tree_method": "hist",
            "max_bin": BINS,
            "max_depth": self.config.depth,
            "eta": self.config.learning_rate,
            "min_child_weight": self.config.minimum_weight,
            "colsample_bytree": self.config.feature_share,
            # Left to itself it writes how the labels' mean, zero, was rounded.
            "base_score": round(float(y.mean()), 9) + 0.0,
            "seed": seed,
            "nthread": 1,
            "verbosity": 0,
        }


@contextmanager
def _interrupt_held() -> Iterator[None]:
    """Let Ctrl-C wait: the library calls back to Python while it bins rows, loses what is raised there, and breaks."""
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or before is None:
        yield
        return
    arrived: list[int] = []
    signal.signal(signal.SIGINT, lambda number, _: arrived.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if arrived:
            signal.raise_signal(signal.SIGINT)


def read_json(features: tuple[str, ...], content: bytes) -> XgboostModel:
    """Read a model's JSON; whoever got it from elsewhere checks it first (`trading_lib.learning.models.loading`)."""
    import xgboost

    booster = xgboost.Booster({"nthread": 1, "verbosity": 0})
    booster.load_model(bytearray(content))
    return XgboostModel(features, content, booster)
