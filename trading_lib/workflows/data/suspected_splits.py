"""Suspected splits without a ruling, with the value of a position either way."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import pandas as pd

from trading_lib.validation.price_rules.unstated_splits import RULE, split_name
from trading_lib.validation.report import ValidationReport

SuspectedPosition = dict[str, Any]


def suspected_position(
    symbol: str, since: date, ratio: float, close: float, quantity: float, valued_at: float
) -> SuspectedPosition:
    """Describe a position's value in both cases.

    Parameters
    ----------
    ratio
        New shares per old share, if it was a split.
    close
        Newest close at the new level.
    quantity, valued_at
        Shares as booked, and the last good price, at which they are valued until somebody decides.
    """
    return {
        "symbol": symbol,
        "session": since.isoformat(),
        "split": split_name(ratio),
        "ratio": ratio,
        "close": close,
        "quantity": quantity,
        "valued_at": valued_at,
        "value_if_split": round(quantity * ratio * close, 2),
        "value_if_real": round(quantity * close, 2),
    }


def suspicion_line(suspected: Mapping[str, Any]) -> str:
    """Describe it in one line."""
    line = f"{suspected['symbol']} {suspected['session']} looks like an unstated {suspected['split']} split"
    if suspected["quantity"]:
        line += (
            f": position worth ${suspected['value_if_split']:,.2f} if split, ${suspected['value_if_real']:,.2f} if"
            f" real, valued at the last good price {suspected['valued_at']:g}"
        )
    return f"{line}; no new risk in it until it is decided (trading review-move, or rulings.yaml of the folder)"


def open_suspicions(report: ValidationReport, last: date) -> list[tuple[str, date, float, float]]:
    """Symbol, first session kept out, ratio and newest close of suspicions open at the end of ``last``."""
    ratios = {(f.symbol, f.session): float(f.value or 1.0) for f in report.findings if f.rule == RULE}
    if not ratios:
        return []
    good = report.accepted.frame
    newest_good = good[good["date"] <= pd.Timestamp(last)].groupby("symbol")["date"].max()
    suspected: dict[str, tuple[str, date, float, float]] = {}
    bad = report.quarantined.frame
    for symbol, moment, close in zip(bad["symbol"], bad["date"], bad["close"], strict=True):
        ratio = ratios.get((symbol, moment.date()))
        if ratio is None or moment.date() > last or moment <= newest_good.get(symbol, pd.Timestamp.min):
            continue
        since, first_ratio = suspected[symbol][1:3] if symbol in suspected else (moment.date(), ratio)
        suspected[symbol] = (str(symbol), since, first_ratio, float(close))
    return list(suspected.values())
