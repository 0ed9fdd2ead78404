"""Unstated splits on real prices: none is seen where none is, and planted ones are found."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from trading_lib.validation.price_history import PriceHistory, split_histories
from trading_lib.validation.price_rules.unstated_splits import split_suspects, suspected_ratio
from trading_lib.validation.rules import QualityRules

RULES = QualityRules()
FILES = ("etf_daily", "etf_daily_vintage_2016-06", "alpaca_iex_daily", "btc_daily")
# The one capture with a split in its plain closes: QQQ did split 2:1 on that day.
REAL = {("etf_daily_vintage_2016-06", "QQQ", "2000-03-20", 2.0)}


def histories(folder: Path) -> Iterator[tuple[str, PriceHistory]]:
    for name in FILES:
        frame = pd.read_parquet(folder / f"{name}.parquet")
        captures = frame.groupby("source") if name == "btc_daily" else [("", frame)]
        for _, rows in captures:
            lacking = [c for c in ("open", "high", "low", "adj_close", "volume", "dividend", "split") if c not in rows]
            filled = rows.assign(**dict.fromkeys(lacking, np.nan)).sort_values(["symbol", "date"])
            for history in split_histories(filled):
                yield name, history


def test_real_prices_show_no_split_but_the_real_one(shared_market_data: Path) -> None:
    found = set()
    for name, history in histories(shared_market_data):
        for row in np.flatnonzero(split_suspects(history, RULES)):
            ratio = suspected_ratio(history.take(slice(max(0, row - 299), row + 1)), RULES)
            if ratio is not None:
                found.add((name, history.symbol, str(history.days[row]), ratio))
    assert found == REAL


@pytest.mark.parametrize("ratio", [1.5, 2.0, 3.0, 10.0, 1 / 2, 1 / 8])
@pytest.mark.parametrize("adjusted", [False, True])
def test_a_split_planted_on_a_random_day_is_found(shared_market_data: Path, ratio: float, adjusted: bool) -> None:
    generator = np.random.default_rng(11)
    tried = found = 0
    for name, history in histories(shared_market_data):
        if name != "etf_daily":
            continue
        for row in generator.integers(60, len(history), 10):
            recent = history.take(slice(max(0, row - 299), row + 1))
            step = np.where(np.arange(len(recent)) == len(recent) - 1, 1 / ratio, 1.0)
            columns = {column: getattr(recent, column) * step for column in ("open", "high", "low", "close")}
            adj = recent.adj_close if adjusted else np.full(len(recent), np.nan)
            planted = replace(recent, **columns, adj_close=adj, volume=recent.volume / step)
            tried, found = tried + 1, found + (suspected_ratio(planted, RULES) == ratio)
    assert found / tried >= (0.98 if adjusted else 0.95)
