"""Dividends and splits that a price file does not state. Input: sorted price rows. Output: the same with both filled.

The rows are sorted by (symbol, date); nothing looks further than one row back, so cutting the file at a date changes
nothing before it.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from trading_lib.domain.market.prices import BoolArray, FloatArray

# Vendors round adjusted prices to float32; a relative change of the factor below this is noise, not a dividend.
SMALLEST_DIVIDEND = 2e-5


def with_corporate_actions(rows: pd.DataFrame) -> pd.DataFrame:
    """Fill ``dividend`` and ``split`` and say what the prices are adjusted for.

    Parameters
    ----------
    rows
        Columns symbol, close, adj_close, dividend, split and adjustment; NaN where the file says nothing.

    Returns
    -------
    A copy. ``split`` is 1 where there is none. A split that the close shows is kept and its symbol's prices are raw;
    one that the close does not show was already applied to earlier prices by the vendor, so applying it again would
    double count it: it becomes 1 and the prices are "split". ``dividend`` is the stated cash, else what the ratio of
    adjusted to plain close implies, else 0. ``adjustment`` is kept where stated.
    """
    filled = rows.copy()
    first = (filled["symbol"] != filled["symbol"].shift()).to_numpy(dtype=bool)
    close = filled["close"].to_numpy(dtype=np.float64)
    stated = filled["split"].to_numpy(dtype=np.float64)
    split = np.where(np.isfinite(stated) & (stated > 0), stated, 1.0)
    visible = _visible_splits(close, split, first)
    split = np.where(visible, split, 1.0)
    symbols_with_raw_prices = filled["symbol"][visible].unique()
    adjusted = filled["adj_close"].notna().groupby(filled["symbol"]).transform("any")
    looks_split = (adjusted & ~filled["symbol"].isin(symbols_with_raw_prices)).to_numpy(dtype=bool)
    adjustment = pd.Series(np.where(looks_split, "split", "raw"), index=filled.index)
    filled["split"] = split
    filled["dividend"] = _dividends(filled, close, split, first)
    filled["adjustment"] = filled["adjustment"].where(filled["adjustment"].notna(), adjustment)
    return filled


def _visible_splits(close: FloatArray, split: FloatArray, first: BoolArray) -> BoolArray:
    """Where the close falls with the split: undoing the split leaves a smaller move than the close itself made."""
    change = np.zeros(len(close))
    with np.errstate(divide="ignore", invalid="ignore"):
        change[1:] = np.log(close[1:] / close[:-1])
        explained = np.abs(change + np.log(split)) < np.abs(change)
    visible: BoolArray = (split != 1) & explained & ~first
    return visible


def _dividends(rows: pd.DataFrame, close: FloatArray, split: FloatArray, first: BoolArray) -> FloatArray:
    stated = rows["dividend"].to_numpy(dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = rows["adj_close"].to_numpy(dtype=np.float64) / close
        share = np.zeros(len(close))
        share[1:] = 1 - split[1:] * factor[:-1] / factor[1:]
    implied = np.zeros(len(close))
    # Per share held before the ex-date; after a split on the same day that is `split` new shares.
    implied[1:] = close[:-1] * share[1:] / split[1:]
    implied[first | ~(share > SMALLEST_DIVIDEND) | ~np.isfinite(implied)] = 0.0
    return np.where(np.isfinite(stated), stated, implied)
