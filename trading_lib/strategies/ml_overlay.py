"""The overlay sleeve: the assets that the champion model scores highest, in equal weights. Input: factor `Model_Score`.

Without a champion there is no such factor, and the sleeve holds nothing. Between two rebalances the target stands.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from trading_lib.domain.decision.sleeves import Rationale, SleeveTarget, SleeveView
from trading_lib.domain.market.market_view import MarketView
from trading_lib.domain.market.prices import FloatArray
from trading_lib.strategies.config import MlOverlayConfig
from trading_lib.strategies.loop_form import MARKET_ONLY, LoopForm, SessionPlan

# The factor that holds a champion's scores, higher is better; it is absent where no model was ever champion.
MODEL_SCORE = "Model_Score"


class MlOverlay:
    """The highest scores in equal weights; fewer scores than positions leave the rest in cash."""

    def __init__(self, config: MlOverlayConfig) -> None:
        self.config = config

    def loop_form(self) -> LoopForm:
        """Use the plan unchanged: it depends on the scores alone."""
        return LoopForm(MARKET_ONLY, plan=self._plan, monthly=self.config.monthly)

    def target(self, view: MarketView, sleeve: SleeveView) -> SleeveTarget:
        """Rebalance, on a month's last session or on every one, otherwise repeat the last target."""
        if self.config.monthly and not view.month_end:
            return SleeveTarget(sleeve.wanted, partial(_waits, sleeve.wanted))
        weights = self._weights(view)
        return SleeveTarget(weights, partial(_describe, view, weights))

    def _plan(self, view: MarketView) -> SessionPlan | None:
        return None if self.config.monthly and not view.month_end else SessionPlan(self._weights(view))

    def _weights(self, view: MarketView) -> FloatArray:
        """Shape (n,): shares of the sleeve's capital; of equal scores those first in the universe are held."""
        return equal_weights_of_highest(_scores(view), self.config.positions)


def equal_weights_of_highest(scores: FloatArray, positions: int) -> FloatArray:
    """Shares of the capital, shape (n,): ``1 / positions`` for each of the highest scores; NaN is no score."""
    known = np.flatnonzero(np.isfinite(scores))
    chosen = known[np.argsort(-scores[known], kind="stable")][:positions]
    weights = np.zeros(len(scores))
    weights[chosen] = 1.0 / positions
    return weights


def _scores(view: MarketView) -> FloatArray:
    """Scores of the session, NaN for assets that may not be held and where the model said nothing."""
    scores = view.factors.get(MODEL_SCORE)
    if scores is None:
        return np.full(len(view.universe), np.nan)
    return np.where(view.universe.retired, np.nan, scores)


def _waits(wanted: FloatArray) -> Rationale:
    return {"": "waits for the month's last session" + ("" if wanted.any() else ", in cash")}


def _describe(view: MarketView, weights: FloatArray) -> Rationale:
    scores = _scores(view)
    scored = int(np.isfinite(scores).sum())
    if not scored:
        why = "no model has been champion" if MODEL_SCORE not in view.factors else "the champion scored no asset"
        return {"": f"in cash: {why}"}
    held = int((weights > 0).sum())
    said = {"": f"the {held} highest of {scored} scores, {weights.max():.1%} each"}
    places = np.argsort(np.argsort(-np.where(np.isfinite(scores), scores, -np.inf), kind="stable"))
    for column, symbol in enumerate(view.universe.symbols):
        if not np.isfinite(scores[column]):
            said[symbol] = "not scored by the model"
        else:
            said[symbol] = f"score {scores[column]:.4g}, place {places[column] + 1} of {scored}"
    return said
