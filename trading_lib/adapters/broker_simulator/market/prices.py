"""Prices of the simulated market: those that were set, else those of the seed.

Seeded prices are a function of seed, symbol and time, so any simulator with the seed quotes the same.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from trading_lib.adapters.broker_simulator.market.instruments import CENT, PEGGED, USUAL_PRICES

DAY = 86_400.0
# Period in days and size as a fraction, of the waves that a seeded price is made of.
WAVES = ((97.0, 0.06), (11.3, 0.02), (0.31, 0.004))


class Prices:
    """Prices by symbol.

    Parameters
    ----------
    set_prices
        Symbol -> price that stands until it is changed.
    """

    def __init__(self, seed: int, set_prices: Mapping[str, Decimal]) -> None:
        self._seed, self._set = seed, set_prices
        # Of the newest instant: an order is compared with every open one.
        self._quoted: dict[str, tuple[datetime, Decimal]] = {}
        self._shapes: dict[str, tuple[float, tuple[float, ...]]] = {}

    def at(self, symbol: str, moment: datetime) -> Decimal:
        """Return the price of a symbol at a time."""
        found = self._set.get(symbol)
        if found is not None:
            return found
        if symbol in PEGGED:
            return Decimal(1)
        quoted = self._quoted.get(symbol)
        if quoted is None or quoted[0] != moment:
            quoted = self._quoted[symbol] = (moment, self._seeded(symbol, moment))
        return quoted[1]

    def _seeded(self, symbol: str, moment: datetime) -> Decimal:
        usual, phases = self._shapes.setdefault(symbol, self._shape(symbol))
        days = moment.timestamp() / DAY
        moved = sum(
            size * math.sin(2 * math.pi * (days / period + phase))
            for (period, size), phase in zip(WAVES, phases, strict=True)
        )
        return Decimal(str(usual * (1 + moved))).quantize(CENT)

    def _shape(self, symbol: str) -> tuple[float, tuple[float, ...]]:
        drawn = hashlib.sha256(f"{self._seed}/{symbol}".encode()).digest()
        usual = USUAL_PRICES.get(symbol, 40.0 + drawn[0])
        return usual, tuple(byte / 256 for byte in drawn[1 : 1 + len(WAVES)])
