"""Checks of what models are asked with and fitted to; libraries take columns in any order without a word."""

from __future__ import annotations

import numpy as np

from trading_lib.domain.errors import InputError
from trading_lib.domain.market.prices import FloatArray, IntegerArray
from trading_lib.learning.dataset import Dataset


def require_columns(kind: str, own: tuple[str, ...], x: FloatArray, features: tuple[str, ...]) -> None:
    """Refuse columns that are not the model's own in their order, and values that are infinite.

    Raises
    ------
    InputError
        Naming the first column that differs.
    """
    if tuple(features) != own:
        at = next(
            (i for i, (a, b) in enumerate(zip(own, features, strict=False)) if a != b), min(len(own), len(features))
        )
        expected = own[at] if at < len(own) else "no further column"
        given = features[at] if at < len(features) else "none"
        raise InputError(
            f"column {at + 1} of {len(own)} of the {kind} model is {expected}, and it is asked with {given}",
            "build the features with the configuration it was trained with, or train again",
        )
    if x.ndim != 2 or x.shape[1] != len(own):
        raise InputError(
            f"the {kind} model is asked with values of shape {x.shape} for {len(own)} columns",
            "hand over one row per asset and one column per feature",
        )
    infinite = np.isinf(x).any(axis=0)
    if infinite.any():
        raise InputError(f"feature {own[int(np.argmax(infinite))]} is infinite", "leave what is not known as NaN")


def training_part(kind: str, data: Dataset, rows: IntegerArray) -> tuple[FloatArray, FloatArray]:
    """Values and labels of the training rows.

    Raises
    ------
    InputError
        When there is nothing to learn: no row, a label that is not a number, or one label only.
    """
    x, y = data.x[rows], data.y[rows]
    require_columns(kind, data.features, x, data.features)
    require_labels(kind, y)
    return x, y


def require_labels(kind: str, y: FloatArray) -> None:
    """Refuse labels that teach nothing."""
    if not len(y):
        raise InputError(f"{kind} has no row to learn from", "use a longer window or more assets")
    if not np.isfinite(y).all():
        raise InputError(f"{kind} is given a label that is no number", "leave rows without a label out")
    if (y == y[0]).all():
        raise InputError(f"{kind} is given labels that are all equal", "check the labels; one asset alone has no ranks")
