"""Decisions about suspected splits: the price really moved, or the shares were split."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class PriceRuling:
    """One decision.

    Attributes
    ----------
    session
        First session at the new level.
    split
        New shares per old share, None for a real move.
    """

    symbol: str
    session: date
    split: float | None
    note: str = ""
