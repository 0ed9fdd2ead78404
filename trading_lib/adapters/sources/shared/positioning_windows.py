"""Windows of funding rates and trader positions: stamp availability, and cut out the requested window."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta

import numpy as np
import pandas as pd

from trading_lib.domain.market.positioning import COT_POSITIONS, CotReports, FundingRates
from trading_lib.domain.market.sessions import require_aware
from trading_lib.market_data.availability.cot_calendar import cot_available_at
from trading_lib.market_data.source import FundingAnswer

ONE_DAY = timedelta(days=1)
SECONDS_PER_HOUR = 3600
# The millisecond at which an exchange settles varies; a tenth of a second of it is no other interval.
INTERVAL_DECIMALS = 4


def stamp_funding(rows: pd.DataFrame, source: str) -> FundingRates:
    """Add the time since the settlement before, ``source`` and ``available_at`` to settled rates.

    Parameters
    ----------
    rows
        Columns venue, symbol, settled_at and rate. The first settlement of each (venue, symbol) has no interval.
    """
    ordered = rows.sort_values(["venue", "symbol", "settled_at"], kind="stable", ignore_index=True)
    before = ordered.groupby(["venue", "symbol"], sort=False)["settled_at"].shift()
    hours = ((ordered["settled_at"] - before).dt.total_seconds() / SECONDS_PER_HOUR).round(INTERVAL_DECIMALS)
    return FundingRates.from_frame(
        ordered.assign(interval_hours=hours, source=source, available_at=ordered["settled_at"])
    )


def funding_window(
    history: FundingRates, source: str, symbols: Sequence[str], first: date, last: date, as_of: datetime
) -> FundingAnswer:
    """Cut ``symbols``, UTC days and as-of out of a history; a symbol without a rate there becomes a failure."""
    moment = require_aware(as_of, "as_of")
    frame = history.frame
    inside = (
        frame["symbol"].isin(list(symbols))
        & (frame["settled_at"] >= pd.Timestamp(first, tz="UTC"))
        & (frame["settled_at"] < pd.Timestamp(last + ONE_DAY, tz="UTC"))
        & (frame["available_at"] <= pd.Timestamp(moment))
    )
    rates = FundingRates(frame[inside].reset_index(drop=True))
    delivered = set(rates.frame["symbol"].unique())
    failures = {
        symbol: f"{source} has no funding rates of {symbol} from {first} to {last} known at {moment:%Y-%m-%d %H:%M} UTC"
        for symbol in dict.fromkeys(symbols)
        if symbol not in delivered
    }
    return FundingAnswer(rates, failures)


def stamp_cot(rows: pd.DataFrame, source: str) -> CotReports:
    """Add ``source`` and the time of publication to report rows; positions that ``rows`` lacks are NaN."""
    lacking = {name: np.nan for name in COT_POSITIONS if name not in rows}
    available = pd.Series(cot_available_at(rows["report_date"].to_numpy()), index=rows.index).dt.tz_localize("UTC")
    return CotReports.from_frame(rows.assign(**lacking, source=source, available_at=available))


def cot_window(history: CotReports, first: date, last: date, as_of: datetime) -> CotReports:
    """All reports with ``first <= report_date <= last`` that were published by ``as_of``."""
    moment = require_aware(as_of, "as_of")
    frame = history.frame
    inside = (
        (frame["report_date"] >= pd.Timestamp(first))
        & (frame["report_date"] <= pd.Timestamp(last))
        & (frame["available_at"] <= pd.Timestamp(moment))
    )
    return CotReports(frame[inside].reset_index(drop=True))
