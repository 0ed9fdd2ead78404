"""The factor `Model_Score` of a market: what the models that were champion said when they were, and nothing later.

Predictions of a model that became champion afterwards would be lookahead, so a backtest sees the same scores as the
daily runs did. A market has the factor only where the overlay sleeve has a budget.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import numpy as np

from trading_lib.domain.errors import TradingError
from trading_lib.domain.market.prices import FloatArray
from trading_lib.strategies.ml_overlay import MODEL_SCORE
from trading_lib.workflows.setup.source_choice import SIMULATED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Engine

    from trading_lib.strategies.config import StrategySettings
    from trading_lib.workflows.data.market import Market
    from trading_lib.workflows.setup.settings import Settings

LOG = logging.getLogger(__name__)
OVERLAY = "ml_overlay"


def overlay_is_on(strategy: StrategySettings) -> bool:
    """Whether a sleeve that follows a model has a budget."""
    return any(sleeve.strategy == OVERLAY and sleeve.budget > 0 for sleeve in strategy.sleeves)


def with_model_scores(market: Market, settings: Settings, engine: Engine | None = None) -> Market:
    """Add the factor where the overlay is on; without any score, or a database, the market stays as it is."""
    strategy = settings.configuration.decision.strategy
    if not overlay_is_on(strategy) or MODEL_SCORE in market.factors.names:
        return market
    found = _stored(market, settings, engine)
    if not found:
        return market
    panel, factors = market.panel, market.factors
    scores = spread_scores(
        found, panel.sessions.astype(object).tolist(), panel.symbols, strategy.ml_overlay.oldest_scores
    )
    values = np.concatenate((factors.values, scores[None]))
    return replace(market, factors=replace(factors, names=(*factors.names, MODEL_SCORE), values=values))


def spread_scores(
    found: Mapping[date, Mapping[str, float]], sessions: list[date], symbols: tuple[str, ...], oldest: int
) -> FloatArray:
    """Spread stored scores over the market, shape (T, n); NaN where there is none.

    Parameters
    ----------
    found
        Session -> symbol -> score.
    oldest
        A session without scores has those of the newest session before it, at most so many sessions back.
    """
    columns = {symbol: column for column, symbol in enumerate(symbols)}
    scores = np.full((len(sessions), len(symbols)), np.nan)
    newest = None
    for row, session in enumerate(sessions):
        if session in found:
            newest = row
            for symbol, score in found[session].items():
                if symbol in columns:
                    scores[row, columns[symbol]] = score
        elif newest is not None and row - newest <= oldest:
            scores[row] = scores[newest]
    return scores


def _stored(market: Market, settings: Settings, engine: Engine | None) -> dict[date, dict[str, float]]:
    # Imported here: a backtest without the overlay needs no database library.
    from sqlalchemy.exc import SQLAlchemyError

    from trading_lib.adapters.stores.learning.score_store import ScoreStore
    from trading_lib.learning.registered import Alias

    panel = market.panel
    first, last = (panel.sessions[row].item() for row in (0, -1))
    try:
        store = ScoreStore(engine or settings.engine())
        return store.scores(Alias.CHAMPION, first, last, panel.source == SIMULATED)
    except (SQLAlchemyError, TradingError) as error:
        LOG.warning("the overlay has no scores: the predictions cannot be read: %s", str(error).splitlines()[0])
        return {}
