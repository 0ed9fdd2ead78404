"""Books: each keeps its own money, orders and risk state."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

# Behind the name of a book: the book that holds what its orders would have filled at that were held back.
SHADOW_SUFFIX = "-shadow"


class BookKind(StrEnum):
    """What a book is for; only a demo or backtest book trades on simulated prices (docs/specification.md#books)."""

    DEMO = "demo"
    BACKTEST = "backtest"
    PAPER = "paper"
    LIVE = "live"


@dataclass(frozen=True, slots=True)
class Book:
    """An account of its own, and the data it decides on.

    Attributes
    ----------
    data_source
        `MarketDataSource.name` of its prices.
    data_folder
        The folder a file source reads, None otherwise.
    opened_session
        First session of its history.
    initial_cash
        Dollars it was opened with.
    config_hash
        Configuration at the time it was opened.
    created_at
        Timezone-aware.
    """

    name: str
    kind: BookKind
    data_source: str
    data_folder: str | None
    opened_session: date
    initial_cash: Decimal
    config_hash: str
    created_at: datetime
