"""Market data that the rules read and a data set lacks. Pure values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trading_lib.domain.market.prices import VOLATILITY_INDEX


@dataclass(frozen=True, slots=True)
class MissingData:
    """The missing series.

    Attributes
    ----------
    symbols
        Of the universe, without any price, in universe order.
    volatility_index, cash_rate
        Whether ^VIX and the cash rate are absent.
    """

    symbols: tuple[str, ...] = ()
    volatility_index: bool = False
    cash_rate: bool = False

    @property
    def lines(self) -> tuple[str, ...]:
        """One clause for each missing series, with its consequence."""
        lines = []
        if self.symbols:
            lines.append(f"no prices for {', '.join(self.symbols)}")
        if self.volatility_index:
            lines.append(f"no {VOLATILITY_INDEX}: all sessions count as HIGH_VOL")
        if self.cash_rate:
            lines.append("no cash rate in the data: Sharpe is over 0")
        return tuple(lines)

    @classmethod
    def of_record(cls, record: Mapping[str, Any] | None) -> MissingData:
        """Read a record of `as_record`; without a record nothing is missing."""
        fields = record or {}
        symbols = tuple(str(symbol) for symbol in fields.get("symbols", ()))
        return cls(symbols, bool(fields.get("volatility_index")), bool(fields.get("cash_rate")))

    def as_record(self) -> dict[str, Any]:
        """Return the fields as JSON values."""
        return {
            "symbols": list(self.symbols),
            "volatility_index": self.volatility_index,
            "cash_rate": self.cash_rate,
        }
