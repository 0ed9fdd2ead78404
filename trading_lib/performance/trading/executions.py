"""What happened to orders besides being filled: cancelled, refused, or filled in a market too thin for them.

Input: a finished run. Output: plain values for report, terminal and tear sheet.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np

from trading_lib.domain.book.orders import Side
from trading_lib.performance.run_record import RunRecord

# So many of a kind are written out in a terminal; the report holds all of them.
EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class ThinFill:
    """A fill of more than the accepted share of its bar's volume.

    Attributes
    ----------
    day
        Date of the bar at whose opening it was made.
    volume
        Of that bar, in units; 0 where nothing was traded at all.
    """

    day: date
    symbol: str
    side: Side
    quantity: Decimal
    volume: float

    @property
    def text(self) -> str:
        """The fill against its volume, in one line."""
        share = f", {float(self.quantity) / self.volume:.1%} of it" if self.volume else ""
        return (
            f"{self.symbol} {self.day}: {self.side} {self.quantity.normalize():f} against a volume of "
            f"{self.volume:,.10g}{share}"
        )


def thin_fills(record: RunRecord, share: float) -> tuple[ThinFill, ...]:
    """Find the fills of more than ``share`` of their bar's volume; a volume that is not known (NaN) is not judged."""
    if record.fill_volume is None:
        return ()
    rows = {day: row for row, day in enumerate(record.sessions.astype(object).tolist())}
    found = []
    for fill in record.fills:
        volume = float(record.fill_volume[rows[fill.session], record.universe.traded(fill.symbol)[1]])
        if np.isfinite(volume) and float(fill.quantity) > share * volume:
            found.append(ThinFill(fill.filled_at.date(), fill.symbol, fill.side, fill.quantity, volume))
    return tuple(found)


def report_executions(record: RunRecord, share: float) -> dict[str, Any]:
    """Lay out by name what was not filled, and what was filled in a thin market."""
    thin = thin_fills(record, share)
    return {
        "cancelled": [
            {
                "symbol": one.symbol,
                "session": one.session.isoformat(),
                "side": one.side.value,
                "quantity": float(one.quantity),
                "reason": one.reason,
            }
            for one in record.cancelled
        ],
        "refused": {"count": sum(record.refused.values()), "by_reason": dict(record.refused)},
        "thin_volume": {
            "count": len(thin),
            "share": share,
            "fills": [
                {
                    "symbol": one.symbol,
                    "day": one.day.isoformat(),
                    "side": one.side.value,
                    "quantity": float(one.quantity),
                    "volume": one.volume,
                    "text": one.text,
                }
                for one in thin
            ],
        },
    }


def counted(number: int, name: str) -> str:
    """Return a number with what it counts: "1 order", "1,022 orders"."""
    return f"{number:,} {name}{'s' * (number != 1)}"


def execution_lines(report: dict[str, Any]) -> Iterator[str]:
    """Put what `report_executions` found into lines for a terminal; none where every order was simply filled."""
    cancelled, refused, thin = report["cancelled"], report["refused"], report["thin_volume"]
    if cancelled:
        yield f"{counted(len(cancelled), 'order')} cancelled, whole or in part"
        yield from _examples([one["reason"] for one in cancelled])
    if refused["count"]:
        yield f"{counted(refused['count'], 'order')} refused by the pre-trade checks"
        yield from _examples([f"{count:,}: {kind}" for kind, count in refused["by_reason"].items()])
    if thin["count"]:
        fills = counted(thin["count"], "fill")
        yield f"WARNING: {fills} beyond {thin['share']:.2%} of the bar's volume, which no market need have given"
        yield from _examples([one["text"] for one in thin["fills"]])


def _examples(texts: list[str]) -> Iterator[str]:
    yield from (f"  {text}" for text in texts[:EXAMPLES])
    if len(texts) > EXAMPLES:
        yield f"  and {len(texts) - EXAMPLES:,} more, listed in the report (--out)"
