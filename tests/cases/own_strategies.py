"""Strategies as users write them, for the tests of the Python interface."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pandas as pd

import trading_lib as tl


class Golden:
    """Gold and nothing else, looked at once a month."""

    monthly = True

    def __init__(self, share: float = 0.5) -> None:
        self.share = share

    def plan(self, view: tl.MarketView) -> Any:
        weights = np.zeros(len(view.universe))
        weights[view.universe.positions["GLD"]] = self.share
        return weights


class Fickle:
    """Fails in the sessions of one month: its message names the line."""

    def target(self, view: tl.MarketView, sleeve: tl.SleeveView) -> tl.SleeveTarget:
        if view.session.month == 6:
            raise ValueError("no June, please")
        weights = np.zeros(len(view.universe))
        weights[view.universe.positions["SPY"]] = 0.5
        return tl.SleeveTarget(weights)


class Broken:
    """Fails always."""

    def target(self, view: tl.MarketView, sleeve: tl.SleeveView) -> tl.SleeveTarget:
        raise KeyError("GOLD")


class Forgetful:
    """Changes itself, as it should not: the next run must not notice."""

    def __init__(self) -> None:
        self.asked = 0

    def plan(self, view: tl.MarketView) -> Any:
        self.asked += 1
        weights = np.zeros(len(view.universe))
        weights[self.asked % len(weights)] = 0.5
        return weights


class Labelled:
    """Answers with a series of pandas, as operators on labelled data do."""

    def plan(self, view: tl.MarketView) -> Any:
        return pd.Series(0.05, index=list(view.universe.symbols))


class Locked(Golden):
    """Holds something that cannot be copied."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.Lock()
