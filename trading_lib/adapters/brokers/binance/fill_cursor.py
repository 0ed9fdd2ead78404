"""The cursor of fills: which trades of each pair were told, as one text.

Binance numbers trades per market, and may show a trade a moment later than one with a higher number. A plain "after
number n" would lose it, so the newest minutes are remembered trade by trade: "BTCUSDT:100+103,105;ETHUSDT:7" says that
everything below 100 was told, and of what follows 103 and 105.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from trading_lib.domain.errors import InputError

# A trade that shows up this much later than a newer one is found by a reconciliation alone.
OVERLAP = timedelta(minutes=10)
# So many trades are remembered one by one; a busier account is remembered for less long.
MOST_REMEMBERED = 500
FORM = re.compile(r"([A-Z0-9]{2,30}):(\d{1,18})(?:\+(\d{1,18}(?:,\d{1,18})*))?")


@dataclass(frozen=True, slots=True)
class Told:
    """Trades of a pair that were told: all up to ``floor``, and ``later`` of what follows."""

    floor: int = -1
    later: frozenset[int] = frozenset()

    def knows(self, number: int) -> bool:
        """Whether a trade was told."""
        return number <= self.floor or number in self.later

    def after(self, trades: Iterable[tuple[int, datetime]]) -> Told:
        """Return what is told once ``trades``, all there are above the floor, were.

        Parameters
        ----------
        trades
            Their numbers and times.
        """
        times = dict(trades)
        if not times:
            return self
        settled = max(times.values()) - OVERLAP
        old = [number for number, at in times.items() if at <= settled]
        later = sorted(times.keys() | self.later)
        floor = max([self.floor, *old, *later[:-MOST_REMEMBERED]])
        return Told(floor, frozenset(number for number in later if number > floor))


@dataclass(frozen=True, slots=True)
class FillCursor:
    """What of every pair was told."""

    pairs: Mapping[str, Told] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> FillCursor:
        """Read a cursor; "" stands before the first trade.

        Raises
        ------
        InputError
            When it is none of this broker's.
        """
        pairs = {}
        for part in filter(None, text.split(";")):
            match = FORM.fullmatch(part)
            if match is None or match[1] in pairs:
                raise InputError(
                    f"{text[:60]!r} is no cursor of fills at binance", "use one that it returned, or none to begin with"
                )
            floor = int(match[2]) - 1
            pairs[match[1]] = Told(floor, frozenset(map(int, (match[3] or "").split(",") if match[3] else ())))
        return cls(pairs)

    def of(self, pair: str) -> Told:
        """Return what of a pair was told."""
        return self.pairs.get(pair, Told())

    def with_trades(self, pair: str, trades: Iterable[tuple[int, datetime]]) -> FillCursor:
        """Return the cursor once ``trades``, all of the pair above its floor, are told."""
        return FillCursor({**self.pairs, pair: self.of(pair).after(trades)})

    def __str__(self) -> str:
        """Write the cursor; the same state is always the same text."""
        parts = []
        for name, told in sorted(self.pairs.items()):
            if told == Told():
                continue
            later = "+" + ",".join(map(str, sorted(told.later))) if told.later else ""
            parts.append(f"{name}:{told.floor + 1}{later}")
        return ";".join(parts)
