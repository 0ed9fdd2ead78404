"""A strategy that answers with whatever a test wants of it."""

from __future__ import annotations

import numpy as np

from tests.builders.markets import vector
from trading_lib.domain.decision.sleeves import SleeveTarget, SleeveView
from trading_lib.domain.market.market_view import MarketView


class Faulty:
    """Answers properly once it held something, else with ``answer``."""

    def __init__(self, answer: str = "raise") -> None:
        self._answer = answer

    def target(self, view: MarketView, sleeve: SleeveView) -> SleeveTarget:
        if self._answer == "raise":
            raise ZeroDivisionError("no assets")
        value = {"nan": np.nan, "negative": -0.1}.get(self._answer, 0.0)
        weights = vector(0.0, GLD=value) if self._answer != "short" else np.zeros(3)
        return SleeveTarget(weights)
