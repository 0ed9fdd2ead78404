"""What speculators hold in futures. Input: `CotReports`. Output: columns of `MarketContext`, and features of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from trading_lib.domain.market.positioning import LEGACY_REPORT, CotReports
from trading_lib.domain.market.prices import DateArray, FloatArray
from trading_lib.learning.features.context import MarketContext, instants, newest_known
from trading_lib.learning.features.kernels import trailing_percentile

# Market of the reports -> assets whose price follows it.
MARKETS: Mapping[str, tuple[str, ...]] = {
    "gold": ("GLD",),
    "silver": ("SLV",),
    "bitcoin": ("BTC-USD",),
    "crude": ("XLE", "DBC"),
    "sp500": ("SPY",),
    "nasdaq": ("QQQ",),
    "bond30": ("TLT",),
    "tnote10": ("TIP",),
}
# Three years of weekly reports, as practitioners' index of positions looks back; one year must be there.
LOOKBACK_REPORTS, LEAST_REPORTS = 156, 52
QUARTER_REPORTS = 13
PERCENTILE, CHANGE = "net_long_percentile", "net_long_change"
POSITIONING_NAMES = ("cot_percentile_156", "cot_change_13")


def known_positioning(reports: CotReports, symbols: Sequence[str], decisions: DateArray) -> dict[str, FloatArray]:
    """Read the newest published report of each asset's market at each decision.

    The net long share is what non-commercial traders are long less what they are short, over the sum of both.

    Parameters
    ----------
    decisions
        Instants in UTC as datetime64[us], ascending, shape (T,).

    Returns
    -------
    Empty without reports; else `PERCENTILE`, of the share among the last 156 reports, and `CHANGE`, of the share over
    13 reports. Shape (T, n); NaN where no market belongs to an asset or too few reports were out.
    """
    frame = reports.frame
    frame = frame[(frame["report"] == LEGACY_REPORT) & frame["market"].isin(MARKETS)]
    if frame.empty:
        return {}
    columns = {name: np.full((len(decisions), len(symbols)), np.nan) for name in (PERCENTILE, CHANGE)}
    for market, rows in frame.groupby("market", sort=True):
        of_market = _at_decisions(rows, decisions)
        for position, symbol in enumerate(symbols):
            if symbol in MARKETS[str(market)]:
                for name, values in of_market.items():
                    columns[name][:, position] = values
    return columns


def preferred_positioning(
    sources: Sequence[CotReports], symbols: Sequence[str], decisions: DateArray
) -> dict[str, FloatArray]:
    """Read `known_positioning` at each decision from the first of several sources that had any report by then."""
    columns: dict[str, FloatArray] = {}
    free = np.ones(len(decisions), dtype=bool)
    for reports in sources:
        begun = free & (decisions >= instants(reports.frame).min()) if len(reports) else np.zeros_like(free)
        for name, values in known_positioning(reports, symbols, decisions).items():
            columns.setdefault(name, np.full(values.shape, np.nan))[begun] = values[begun]
        free &= ~begun
    return columns


def positioning_features(context: MarketContext) -> dict[str, FloatArray]:
    """Compute those of `POSITIONING_NAMES` that enough reports are out for, each of shape (T, n)."""
    named = zip(POSITIONING_NAMES, (PERCENTILE, CHANGE), strict=True)
    columns = {name: context.positioning[column] for name, column in named if column in context.positioning}
    return {name: values for name, values in columns.items() if np.isfinite(values).any()}


def _at_decisions(rows: pd.DataFrame, decisions: DateArray) -> dict[str, FloatArray]:
    """Read what the reports of one market say at each decision, each report in the revision known then."""
    ordered = rows.sort_values(["available_at", "report_date"], kind="stable")
    published, reported = instants(ordered), ordered["report_date"].to_numpy()
    columns = {name: np.full(len(decisions), np.nan) for name in (PERCENTILE, CHANGE)}
    # Between two publications of revisions, or of reports that come late, history only grows at its end.
    late = np.r_[False, reported[1:] <= np.maximum.accumulate(reported)[:-1]]
    bounds = np.unique(published[late])
    edges = [0, *np.searchsorted(decisions, bounds), len(decisions)]
    counts = [*np.searchsorted(published, bounds), len(published)]
    for begin, end, count in zip(edges[:-1], edges[1:], counts, strict=True):
        if begin == end:
            continue
        for name, values in _history(ordered.iloc[:count], decisions[begin:end]).items():
            columns[name][begin:end] = values
    return columns


def _history(published: pd.DataFrame, decisions: DateArray) -> dict[str, FloatArray]:
    """Read the newest report at each decision; of each report the revision that was published last counts."""
    newest = published.drop_duplicates("report_date", keep="last").sort_values("report_date", kind="stable")
    long, short = (newest[f"noncommercial_{side}"].to_numpy(np.float64) for side in ("long", "short"))
    total = long + short
    share = np.where(total > 0, (long - short) / np.where(total > 0, total, 1.0), np.nan)
    change = np.full(len(share), np.nan)
    change[QUARTER_REPORTS:] = share[QUARTER_REPORTS:] - share[:-QUARTER_REPORTS]
    values = {PERCENTILE: trailing_percentile(share, LOOKBACK_REPORTS, LEAST_REPORTS), CHANGE: change}
    available, reported = instants(newest), newest["report_date"]
    return {name: newest_known(available, reported, column, decisions) for name, column in values.items()}
