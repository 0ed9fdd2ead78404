"""Accepting funding rates and Commitments of Traders into the database.

What does not come is missing: a source that fails or is late abstains, and prices never wait for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from sqlalchemy import Engine

from trading_lib.adapters.stores.market.positioning_store import PositioningStore
from trading_lib.adapters.stores.postgres.revisions import UpsertCounts
from trading_lib.domain.errors import TradingError
from trading_lib.domain.market.instruments import AssetClass, Universe
from trading_lib.market_data.source import FundingSource, PositioningSource

# Perpetuals settle in this stablecoin on every venue that is asked.
SETTLEMENT = "USDT"


@dataclass
class PositioningIntake:
    """The result of accepting one group.

    Attributes
    ----------
    delivered
        Symbol, or "reports", -> the sources it came from.
    abstained
        "source symbol", or the source, -> why nothing came.
    """

    counts: UpsertCounts = field(default_factory=lambda: UpsertCounts(0, 0, 0))
    delivered: dict[str, str] = field(default_factory=dict)
    abstained: dict[str, str] = field(default_factory=dict)

    def enter(self, name: str, source: str) -> None:
        """Note that ``name`` came from ``source``, after others or alone."""
        self.delivered[name] = ", ".join(filter(None, (self.delivered.get(name), source)))


def perpetuals(universe: Universe) -> list[str]:
    """Perpetual futures on the crypto assets of the universe, e.g. "BTC-USDT"."""
    bases = [i.symbol.partition("-")[0] for i in universe if i.asset_class is AssetClass.CRYPTO]
    return [f"{base}-{SETTLEMENT}" for base in bases]


def fetch_funding(
    sources: Sequence[FundingSource], symbols: Sequence[str], first: date, last: date, engine: Engine, now: datetime
) -> PositioningIntake:
    """Store the rates of every source; venues differ, so none replaces another."""
    store, intake = PositioningStore(engine), PositioningIntake()
    for source in sources:
        try:
            response = source.funding(symbols, first, last, now)
            intake.counts += store.upsert_funding(response.rates, now)
        except TradingError as error:
            intake.abstained[source.name] = _line(error)
            continue
        for symbol in response.rates.frame["symbol"].unique():
            intake.enter(str(symbol), source.name)
        intake.abstained |= {f"{source.name} {symbol}": reason for symbol, reason in response.failures.items()}
    return intake


def fetch_positioning(
    sources: Sequence[PositioningSource], first: date, last: date, engine: Engine, now: datetime
) -> PositioningIntake:
    """Store the reports of the first source that has them; all sources repeat the same CFTC numbers."""
    store, intake = PositioningStore(engine), PositioningIntake()
    for source in sources:
        try:
            reports = source.cot(first, last, now)
            intake.counts += store.upsert_cot(reports, now)
        except TradingError as error:
            intake.abstained[source.name] = _line(error)
            continue
        if len(reports.frame):
            intake.enter("reports", source.name)
            break
    return intake


def _line(error: TradingError) -> str:
    return " ".join(str(error).split())
