"""One model and the features of one session -> what it says of every asset, or why it says nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

import numpy as np

from trading_lib.domain.errors import InputError
from trading_lib.domain.market.prices import FloatArray
from trading_lib.learning.dataset import FeaturePanel
from trading_lib.learning.lifecycle.abstention import TrainingRange, abstentions, usually_known
from trading_lib.learning.ranks import session_ranks
from trading_lib.workflows.learning.registry import open_model

if TYPE_CHECKING:
    from trading_lib.learning.config import LifecycleConfig
    from trading_lib.learning.model import Model
    from trading_lib.learning.registered import StoredModel


@dataclass(frozen=True, slots=True)
class Said:
    """What a model said for a session; n assets.

    Attributes
    ----------
    scores, ranks
        Shape (n,): higher is better; ranks in [-0.5, 0.5] within the session. NaN where it abstained.
    abstained
        Symbol -> why.
    """

    version: int
    kind: str
    session: date
    symbols: tuple[str, ...]
    scores: FloatArray
    ranks: FloatArray
    abstained: dict[str, str] = field(default_factory=dict)


def columns_of(model: StoredModel, features: FeaturePanel) -> FloatArray:
    """Features in the model's own order, shape (F, T, n).

    Raises
    ------
    InputError
        When the model learned from a feature that there is not: names it.
    """
    known = {name: position for position, name in enumerate(features.names)}
    missing = [name for name in model.features if name not in known]
    if missing:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        raise InputError(
            f"model version {model.version} learned from {', '.join(missing[:3])}{more}, which this data does not have",
            "bring the data that it was trained on, or train again",
        )
    return features.values[[known[name] for name in model.features]]


def ask(model: StoredModel, features: FeaturePanel, config: LifecycleConfig) -> Said:
    """Ask a model about the last session of the features.

    Raises
    ------
    InputError
        When its files are not what was registered, or its features are not there.
    """
    opened = open_model(model)
    values = columns_of(model, features)
    silent = silences(model, features, values, config)
    scores = np.full(len(features.symbols), np.nan)
    asked = [column for column, symbol in enumerate(features.symbols) if symbol not in silent]
    if asked:
        scores[asked] = opened.predict(np.ascontiguousarray(values[:, -1, asked].T), model.features)
    silent |= {
        symbol: "the model's score is no number"
        for column, symbol in enumerate(features.symbols)
        if symbol not in silent and not np.isfinite(scores[column])
    }
    scores[~np.isfinite(scores)] = np.nan
    session: date = features.sessions[-1].item()
    ranks = session_ranks(scores[None])[0]
    return Said(model.version, model.kind, session, features.symbols, scores, ranks, silent)


def silences(model: StoredModel, features: FeaturePanel, values: FloatArray, config: LifecycleConfig) -> dict[str, str]:
    """Symbol -> why the model says nothing of it.

    Parameters
    ----------
    values
        Shape (F, T, n): `columns_of` the model.
    """
    learned = features.sessions <= np.datetime64(model.trained_until)
    ends = np.array([model.ranges.get(name, (np.nan, np.nan)) for name in model.features])
    seen = TrainingRange(ends[:, 0], ends[:, 1], usually_known(values[:, learned]))
    return abstentions(values[:, -1], model.features, features.symbols, seen, int((~learned).sum()), config)


def contributions_of(opened: Model, model: StoredModel, values: FloatArray, column: int) -> dict[str, float]:
    """Feature -> its part of one asset's score, the largest first, and the base value under "".

    Parameters
    ----------
    values
        Shape (F, T, n): `columns_of` the model.
    """
    row = opened.contributions(np.ascontiguousarray(values[:, -1, [column]].T), model.features)[0]
    parts = dict(zip((*model.features, ""), row.tolist(), strict=True))
    return dict(sorted(parts.items(), key=lambda item: (item[0] == "", -abs(item[1]), item[0])))
