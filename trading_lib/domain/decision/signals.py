"""Signals and regimes as values (docs/specification.md#signals, docs/specification.md#market-regime)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import IntEnum, StrEnum

import numpy as np
from numpy.typing import NDArray

from trading_lib.domain.market.prices import FloatArray


class SignalType(IntEnum):
    """Signal of an asset; integers so that a session's signals are one array."""

    STRONG_SELL = -2
    SELL = -1
    HOLD = 0
    BUY = 1
    STRONG_BUY = 2


class MarketRegime(StrEnum):
    """Volatility regime from ^VIX."""

    NORMAL = "NORMAL"
    ELEVATED = "ELEVATED"
    HIGH_VOL = "HIGH_VOL"
    EXTREME = "EXTREME"


# Arrays hold a regime as its position among the members, calmest first.
REGIME_CODES = {regime: code for code, regime in enumerate(MarketRegime)}


@dataclass(frozen=True, slots=True)
class RegimeReading:
    """The regime of a session and the ^VIX it rests on.

    Attributes
    ----------
    volatility_index
        ^VIX close, NaN when none is known.
    age
        Its age in sessions, -1 when none is known.
    abstained
        True when ^VIX was missing or too old and the regime was therefore set to HIGH_VOL.
    """

    regime: MarketRegime
    volatility_index: float
    age: int
    abstained: bool


@dataclass(frozen=True, slots=True)
class SignalPanel:
    """The signals of one session, one element per asset in universe order.

    Attributes
    ----------
    codes
        int8, shape (n,): `SignalType` after the regime filter.
    unfiltered_codes
        int8, shape (n,): `SignalType` before it.
    confidence
        Shape (n,), in [0, 1]; 0 where a factor is missing.
    complete
        bool, shape (n,): whether every factor the rules need is there. Where not, the code is HOLD.
    """

    codes: NDArray[np.int8]
    unfiltered_codes: NDArray[np.int8]
    confidence: FloatArray
    complete: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class TradeSignal:
    """One signal with its reason, as it is stored in signal_log.

    Attributes
    ----------
    target_weight
        Share of net asset value the strategy wants, before risk control.
    reason
        The rule that fired, with its numbers.
    """

    symbol: str
    session: date
    signal: SignalType
    confidence: float
    target_weight: float
    regime: MarketRegime
    reason: str
