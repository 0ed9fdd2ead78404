"""The earlier history behind a verdict. Input: accepted bars and pending corporate actions. Output: rows."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

import numpy as np
import pandas as pd

from trading_lib.domain.market.prices import Bars, BoolArray

OWED_COLUMNS = {"symbol": "str", "date": "datetime64[us]", "dividend": "float64", "split": "float64"}
# A day's dividend and split that no accepted bar carries yet.
OwedAction = tuple[date, float, float]


def _nothing_owed() -> pd.DataFrame:
    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in OWED_COLUMNS.items()})


@dataclass(frozen=True, slots=True)
class AcceptedHistory:
    """Accepted bars before the judged ones, and corporate actions not yet carried by an accepted bar.

    Attributes
    ----------
    accepted
        Bars that were accepted earlier; of each symbol the last `WINDOW` before the judged ones suffice.
    owed
        Columns symbol, date, dividend, split: actions of bars that are quarantined, so far on no accepted bar.
    """

    accepted: Bars = field(default_factory=Bars.empty)
    owed: pd.DataFrame = field(default_factory=_nothing_owed)


def with_known(
    accepted: pd.DataFrame, delivered: pd.DataFrame, history: pd.DataFrame
) -> tuple[pd.DataFrame, BoolArray]:
    """Earlier and new rows by symbol and date, and which of them are to be judged."""
    history = history[history["symbol"].isin(accepted["symbol"].unique())]
    if history.empty:
        return accepted, np.ones(len(accepted), dtype=bool)
    days = pd.MultiIndex.from_frame(history[["symbol", "date"]])
    again = days.isin(pd.MultiIndex.from_frame(delivered[["symbol", "date"]]))
    older = _on_one_base(history, accepted)[~again]
    together = pd.concat([older.assign(fresh=False), accepted.assign(fresh=True)], ignore_index=True)
    together = together.sort_values(["symbol", "date"], kind="stable", ignore_index=True)
    return together, together["fresh"].to_numpy(dtype=bool)


def joined(history: Bars, bars: Bars) -> Bars:
    """Earlier bars whose day was not delivered again, followed by the bars."""
    older = history.frame[history.frame["symbol"].isin(bars.frame["symbol"].unique())]
    if older.empty:
        return bars
    days = pd.MultiIndex.from_frame(older[["symbol", "date"]])
    again = days.isin(pd.MultiIndex.from_frame(bars.frame[["symbol", "date"]]))
    return Bars.from_frame(pd.concat([_on_one_base(older, bars.frame)[~again], bars.frame], ignore_index=True))


def _on_one_base(history: pd.DataFrame, accepted: pd.DataFrame) -> pd.DataFrame:
    """Known rows with their adjusted close on the base of the delivered ones, NaN where no common day tells it.

    A vendor's adjusted close ends at the newest close, so every capture has a base of its own.
    """
    common = accepted.merge(history, on=["symbol", "date"], suffixes=("", "_known")).drop_duplicates("symbol")
    base = pd.Series((common["adj_close"] / common["adj_close_known"]).to_numpy(), index=common["symbol"])
    return history.assign(adj_close=history["adj_close"] * history["symbol"].map(base).astype("float64"))


def owed_actions(
    accepted: Bars, quarantined: Bars, delivered: pd.DataFrame, history: pd.DataFrame
) -> dict[str, list[tuple[date, float, float]]]:
    """Symbol -> (day, dividend, split) of bars that are quarantined before any history is looked at."""
    bad = quarantined.frame
    if len(history):
        again = pd.MultiIndex.from_frame(history[["symbol", "date"]])
        history = history[~again.isin(pd.MultiIndex.from_frame(delivered[["symbol", "date"]]))]
    if len(bad):
        good = pd.MultiIndex.from_frame(accepted.frame[["symbol", "date"]])
        bad = bad[~pd.MultiIndex.from_frame(bad[["symbol", "date"]]).isin(good)]
        bad = bad.drop_duplicates(["symbol", "date"])
    owed: dict[str, list[tuple[date, float, float]]] = {}
    for rows in (history, bad):
        days = rows["date"].to_numpy().astype("datetime64[D]").tolist()
        for symbol, day, cash, ratio in zip(rows["symbol"], days, rows["dividend"], rows["split"], strict=True):
            actions = (day, stated(float(cash), 0.0), stated(float(ratio), 1.0))
            if actions[1] or actions[2] != 1.0:
                owed.setdefault(str(symbol), []).append(actions)
    return owed


def stated(value: float, none: float) -> float:
    """Return a stated dividend or split, ``none`` where the source says nothing usable."""
    return value if np.isfinite(value) and value > 0 else none
