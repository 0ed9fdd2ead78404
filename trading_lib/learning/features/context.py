"""What features need beside prices: macro series, trader positions and columns of the user's own, as known.

Input: `MacroSeries` and the instants of the decisions. Output: `MarketContext`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from trading_lib.domain.market.prices import DateArray, FloatArray, MacroSeries


@dataclass(frozen=True, slots=True)
class MarketContext:
    """Observations beside prices, as known at the decision time of each session; T sessions, n assets.

    Attributes
    ----------
    macro
        Series -> newest known value in its own unit, shape (T,); NaN before the first.
    positioning
        Columns of `trading_lib.learning.features.positioning.known_positioning`, each of shape (T, n).
    own
        Columns of the user's own by name, each of shape (T, n); a name that begins with ``sentiment`` is sentiment.
        Whoever gives them answers for when they were known.
    """

    macro: Mapping[str, FloatArray] = field(default_factory=dict)
    positioning: Mapping[str, FloatArray] = field(default_factory=dict)
    own: Mapping[str, FloatArray] = field(default_factory=dict)


def known_macro(series: MacroSeries, decisions: DateArray) -> dict[str, FloatArray]:
    """Read the newest known observation of every series at each decision.

    Parameters
    ----------
    decisions
        Instants in UTC as datetime64[us], ascending, shape (T,).

    Returns
    -------
    Series -> shape (T,); NaN before the first observation was out.
    """
    known = series.frame[series.frame["value"].notna()]
    return {
        str(name): newest_known(instants(rows), rows["date"], rows["value"].to_numpy(np.float64), decisions)
        for name, rows in known.groupby("series", sort=True)
    }


def preferred_macro(sources: Sequence[MacroSeries], decisions: DateArray) -> dict[str, FloatArray]:
    """Read each series at each decision from the first of several sources that had an observation of it by then."""
    found: dict[str, FloatArray] = {}
    for source in sources:
        for name, values in known_macro(source, decisions).items():
            better = found.get(name)
            found[name] = values if better is None else np.where(np.isfinite(better), better, values)
    return found


def instants(rows: pd.DataFrame) -> DateArray:
    """Column ``available_at`` as UTC datetime64[us]."""
    published: DateArray = rows["available_at"].dt.tz_convert(None).to_numpy().astype("datetime64[us]")
    return published


def newest_known(available: DateArray, observed: pd.Series, values: FloatArray, decisions: DateArray) -> FloatArray:
    """Value of the newest observation that was out at each decision, shape (T,); NaN before the first.

    An old observation that is revised late does not become the newest one.
    """
    order = np.lexsort((observed.to_numpy(), available))
    days = observed.to_numpy()[order]
    if not len(order):
        return np.full(len(decisions), np.nan)
    order = order[days == np.maximum.accumulate(days)]
    last = np.searchsorted(available[order], decisions, side="right") - 1
    return np.where(last >= 0, values[order][np.maximum(last, 0)], np.nan)
