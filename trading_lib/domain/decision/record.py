"""The stored record of a decision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class DecisionRecord:
    """What a book decided in a session, and by which code and configuration.

    Attributes
    ----------
    regime
        `MarketRegime` as text.
    risk_level
        Effective risk level, 0 to 4.
    payload
        Everything else, in values the state store can keep: None, bool, int, float, str, Decimal, date, datetime,
        and lists and string-keyed mappings of these.
    """

    book: str
    session: date
    decided_at: datetime
    regime: str
    risk_level: int
    config_hash: str
    code_version: str
    payload: Mapping[str, Any]
