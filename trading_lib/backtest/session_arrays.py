"""Per-session arrays of a run, from which its analysis starts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from trading_lib.decision import Decision
from trading_lib.domain.book.portfolio import Portfolio, Position
from trading_lib.domain.decision.signals import REGIME_CODES
from trading_lib.domain.market.instruments import Universe
from trading_lib.domain.market.prices import FloatArray, IntegerArray
from trading_lib.domain.money import MICRO


class SessionArrays:
    """Filled session by session while a backtest runs; S sessions, n assets in universe order.

    Attributes
    ----------
    nav, invested
        Shape (S,): net asset value in dollars and the share of it in assets, at each decision.
    levels
        int8, shape (S,): effective risk level.
    regimes
        int8, shape (S,): position of the volatility regime among the members of `MarketRegime`.
    quantity
        Shape (S, n): units held at each decision, after the opening's fills, net of what perpetuals sell short.
    funding
        Shape (S,): dollars received from funding since the run began.
    sleeves
        Sleeve -> shape (S, n): the part of the holdings it owns, as a share of net asset value.
    """

    def __init__(self, sessions: int, universe: Universe) -> None:
        self.nav: FloatArray = np.empty(sessions)
        self.invested: FloatArray = np.empty(sessions)
        self.levels: NDArray[np.int8] = np.empty(sessions, np.int8)
        self.regimes: NDArray[np.int8] = np.empty(sessions, np.int8)
        self.quantity: FloatArray = np.zeros((sessions, len(universe)))
        self.funding: FloatArray = np.zeros(sessions)
        self.sleeves: dict[str, FloatArray] = {}
        self._columns = universe.positions
        self._universe = universe
        self._positions: object = None
        self._held: FloatArray = np.zeros(len(universe))

    def note(self, step: int, portfolio: Portfolio, decision: Decision) -> None:
        """Record session number ``step``."""
        nav = float(portfolio.nav)
        self.nav[step] = nav
        uninvested = portfolio.cash + _unrealised(portfolio) if portfolio.perpetuals else portfolio.cash
        self.invested[step] = 1.0 - float(uninvested) / nav if nav > 0 else 0.0
        self.funding[step] = float(portfolio.funding)
        self.levels[step] = decision.assessment.effective_level
        self.regimes[step] = REGIME_CODES[decision.regime.regime]
        # Marking keeps the mapping of positions, so the same object means that nothing was traded.
        if portfolio.positions is not self._positions:
            self._positions = portfolio.positions
            self._held = self._quantities(portfolio.positions.values())
        self.quantity[step] = self._held
        for short in portfolio.perpetuals.values():
            self.quantity[step, self._universe.traded(short.symbol)[1]] += float(short.quantity)
        for name, record in decision.targets.sleeves.items():
            np.multiply(record.held, record.budget, out=self._sleeve(name)[step])

    def note_many(
        self,
        steps: slice,
        nav: IntegerArray,
        cash: IntegerArray,
        levels: NDArray[np.int8],
        regimes: NDArray[np.int8],
        quantity: IntegerArray,
        sleeves: Mapping[str, FloatArray],
    ) -> None:
        """Record several sessions; money in cents, quantities in millionths, no perpetuals."""
        self.nav[steps] = nav / 100.0
        self.invested[steps] = 1.0 - (cash / 100.0) / (nav / 100.0)
        self.levels[steps] = levels
        self.regimes[steps] = regimes
        self.quantity[steps] = quantity / MICRO
        for name, owned in sleeves.items():
            self._sleeve(name)[steps] = owned

    def _sleeve(self, name: str) -> FloatArray:
        weights = self.sleeves.get(name)
        if weights is None:
            weights = self.sleeves[name] = np.zeros_like(self.quantity)
        return weights

    def _quantities(self, positions: Iterable[Position]) -> FloatArray:
        held = np.zeros(self.quantity.shape[1])
        for position in positions:
            held[self._columns[position.symbol]] = float(position.quantity)
        return held


def _unrealised(portfolio: Portfolio) -> Decimal:
    return sum((short.unrealised for short in portfolio.perpetuals.values()), Decimal(0))
