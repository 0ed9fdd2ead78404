"""What a set of market data lacks of what the rules read. Pure values: nothing is looked up here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trading_lib.domain.market.prices import VOLATILITY_INDEX


@dataclass(frozen=True, slots=True)
class MissingData:
    """What is not there.

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
        """One clause for each thing that is absent, with what follows from it."""
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
        """Read what `as_record` wrote; nothing is missing where there is no record."""
        fields = record or {}
        symbols = tuple(str(symbol) for symbol in fields.get("symbols", ()))
        return cls(symbols, bool(fields.get("volatility_index")), bool(fields.get("cash_rate")))

    def as_record(self) -> dict[str, Any]:
        """Return it in values that JSON has."""
        return {
            "symbols": list(self.symbols),
            "volatility_index": self.volatility_index,
            "cash_rate": self.cash_rate,
        }
