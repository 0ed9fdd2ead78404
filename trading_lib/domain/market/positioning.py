"""Funding of perpetual futures and the positions of futures traders, as values in long form.

Both follow the pattern of `trading_lib.domain.market.prices.MacroSeries`: a frame with declared columns, one row per
observation, each with the instant at which it could first be known.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

FUNDING_COLUMNS: dict[str, str] = {
    "venue": "str",
    "symbol": "str",
    "settled_at": "datetime64[us, UTC]",
    "rate": "float64",
    "interval_hours": "float64",
    "source": "str",
    "available_at": "datetime64[us, UTC]",
}

LEGACY_REPORT = "legacy"
DISAGGREGATED_REPORT = "disaggregated"

# Contracts. The first line is in both reports, the second in the legacy one, the rest in the disaggregated one.
COT_POSITIONS: tuple[str, ...] = (
    "open_interest", "nonreportable_long", "nonreportable_short",
    "noncommercial_long", "noncommercial_short", "noncommercial_spreading", "commercial_long", "commercial_short",
    "producer_long", "producer_short", "swap_long", "swap_short", "swap_spreading",
    "managed_money_long", "managed_money_short", "managed_money_spreading",
    "other_long", "other_short", "other_spreading",
)  # fmt: skip
COT_COLUMNS: dict[str, str] = {
    "report": "str",
    "market": "str",
    "report_date": "datetime64[us]",
    **dict.fromkeys(COT_POSITIONS, "float64"),
    "source": "str",
    "available_at": "datetime64[us, UTC]",
}


@dataclass(frozen=True, slots=True)
class FundingRates:
    """Settled funding rates, one row per (venue, symbol, settlement), sorted by all three.

    Attributes
    ----------
    frame
        Columns of `FUNDING_COLUMNS`. ``venue`` is the exchange ("binance"); ``symbol`` the perpetual's base and quote
        ("BTC-USDT"); ``rate`` the fraction of the position's value that longs paid shorts at this settlement, for
        the time since the one before; ``interval_hours`` that time in hours, NaN where the one before is unknown.
        A rate is known at its settlement.
    """

    frame: pd.DataFrame

    @classmethod
    def from_frame(cls, frame: pd.DataFrame) -> FundingRates:
        """Select, type and sort the columns of `FUNDING_COLUMNS`; a missing column is a KeyError."""
        typed = frame[list(FUNDING_COLUMNS)].astype(FUNDING_COLUMNS)
        return cls(typed.sort_values(["venue", "symbol", "settled_at"], kind="stable", ignore_index=True))

    @classmethod
    def empty(cls) -> FundingRates:
        """No rates."""
        return cls(pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in FUNDING_COLUMNS.items()}))

    def __len__(self) -> int:
        return len(self.frame)


@dataclass(frozen=True, slots=True)
class CotReports:
    """Commitments of Traders, one row per (report, market, report date), sorted by all three.

    Where revisions are read too, a report comes once per revision, each with its own ``available_at``.

    Attributes
    ----------
    frame
        Columns of `COT_COLUMNS`. ``report`` is "legacy" or "disaggregated", both futures only; ``market`` a short name
        ("gold"); ``report_date`` the day the positions were held, usually a Tuesday; positions are numbers of
        contracts, NaN where the report or the file does not have them.
    """

    frame: pd.DataFrame

    @classmethod
    def from_frame(cls, frame: pd.DataFrame) -> CotReports:
        """Select, type and sort the columns of `COT_COLUMNS`; a missing column is a KeyError."""
        typed = frame[list(COT_COLUMNS)].astype(COT_COLUMNS)
        return cls(typed.sort_values(["report", "market", "report_date"], kind="stable", ignore_index=True))

    @classmethod
    def empty(cls) -> CotReports:
        """No reports."""
        return cls(pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in COT_COLUMNS.items()}))

    def __len__(self) -> int:
        return len(self.frame)
