"""How a model does: information coefficients of what it said, the book that trades on it, the drift of its features."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import numpy as np

from trading_lib.domain.market.prices import FloatArray, PricePanel
from trading_lib.learning.dataset import FeaturePanel
from trading_lib.learning.evidence.book import equal_weight_returns, tranche_book
from trading_lib.learning.evidence.information import information_coefficients
from trading_lib.learning.labels import forward_labels
from trading_lib.learning.lifecycle.drift import Drift, measure
from trading_lib.workflows.learning.daily.asking import columns_of

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from trading_lib.learning.config import LearningConfig, LifecycleConfig
    from trading_lib.learning.registered import StoredModel

# Readings of a session: net return of the book that holds what the model scores highest, of the universe in equal
# weights, and the largest distance of a feature from training.
BOOK_RETURN, UNIVERSE_RETURN, DISTANCE = "book_return", "universe_return", "ks"


def spoken_scores(engine: Engine, version: int, panel: PricePanel) -> FloatArray:
    """Scores a version was stored with, shape (T, n) on the panel's axes; NaN where there is none."""
    from trading_lib.adapters.stores.learning.prediction_store import PredictionStore

    first, last = (panel.sessions[row].item() for row in (0, -1))
    rows = {day: row for row, day in enumerate(panel.sessions.astype(object).tolist())}
    columns = {symbol: column for column, symbol in enumerate(panel.symbols)}
    scores = np.full((len(rows), len(columns)), np.nan)
    for said in PredictionStore(engine).between(version, first, last):
        if said.score is not None and said.session in rows and said.symbol in columns:
            scores[rows[said.session], columns[said.symbol]] = said.score
    return scores


def known_coefficients(scores: FloatArray, panel: PricePanel, config: LearningConfig) -> dict[date, float]:
    """Session -> information coefficient of what was said there, where the labels are known by the last session."""
    labels = forward_labels(panel, config.label.horizon, None, config.label.minimum_assets)
    return _dated(information_coefficients(scores, labels.rank), panel)


def shadow_returns(scores: FloatArray, panel: PricePanel, config: LearningConfig) -> tuple[dict[date, float], ...]:
    """Session -> net return of the model's own book, and of the universe in the same tranches at the same costs.

    The book begins in cash with the first session that has scores; it holds the highest of them as the evidence of a
    training does (`tranche_book`).
    """
    spoken = np.flatnonzero(np.isfinite(scores).any(axis=1))
    if not len(spoken):
        return {}, {}
    rows = slice(int(spoken[0]), None)
    returns = np.nan_to_num(panel.mark_return[rows])
    tradable = panel.fresh[rows]
    own = tranche_book(scores[rows], returns, tradable, config.book)
    market = equal_weight_returns(np.isfinite(panel.close[rows]), returns, tradable, config.book)
    days = panel.sessions[rows].astype(object).tolist()
    # In the first session everything is bought at its end: there is no return yet.
    return tuple(dict(zip(days[1:], values[1:].tolist(), strict=True)) for values in (own, market))


def feature_drift(model: StoredModel, features: FeaturePanel, first: date, config: LifecycleConfig) -> Drift:
    """Measure the drift of a model's features since its training, which began at ``first``."""
    values = columns_of(model, features)
    kinds = dict(zip(features.names, features.kinds, strict=True))
    days = features.sessions
    learned = (days >= np.datetime64(first)) & (days <= np.datetime64(model.trained_until))
    return measure(
        model.features,
        tuple(kinds[name] for name in model.features),
        values[:, learned],
        values[:, -config.ks_recent :],
        config,
    )


def _dated(values: FloatArray, panel: PricePanel) -> dict[date, float]:
    days = panel.sessions.astype(object).tolist()
    return {days[row]: float(values[row]) for row in np.flatnonzero(np.isfinite(values))}
