"""Histories continued by made-up sessions, and real sessions as moves."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest

from tests.builders.markets import CALENDAR, UNIVERSE, at, market_of, random_bars
from tests.builders.prices import bars_of, price_rows
from trading_lib.backtest.stress.bootstrap_paths import moves_of
from trading_lib.backtest.stress.synthetic_sessions import SessionMoves, continue_bars
from trading_lib.domain.market.prices import VOLATILITY_INDEX

ASSETS = len(UNIVERSE)
AFTER = CALENDAR.between(date(2024, 3, 1), date(2024, 3, 8))


def moves(close: float, sessions: int = len(AFTER)) -> SessionMoves:
    flat = np.full((sessions, ASSETS), close)
    return SessionMoves(np.sqrt(flat), np.maximum(flat, 1.0), np.minimum(flat, 1.0), flat, np.full(sessions, 45.0))


@pytest.fixture(scope="module")
def history() -> object:
    return random_bars(date(2023, 1, 3), date(2024, 3, 20), seed=4)


def test_history_ends_where_the_moves_begin(history) -> None:  # type: ignore[no-untyped-def]
    continued = continue_bars(history, UNIVERSE, AFTER, moves(0.99), "made up")
    spy = continued.frame[continued.frame["symbol"] == "SPY"].set_index("date")
    before = history.frame[(history.frame["symbol"] == "SPY") & (history.frame["date"] < "2024-03-01")]
    last = float(before["close"].iloc[-1])
    np.testing.assert_allclose(spy["close"].iloc[-len(AFTER) :], last * 0.99 ** np.arange(1, len(AFTER) + 1))
    assert len(spy) == len(before) + len(AFTER)
    assert spy["open"].iloc[-1] == pytest.approx(spy["close"].iloc[-2] * 0.99**0.5)
    assert set(continued.frame["source"]) == {"made up"}


def test_what_trades_every_day_rests_between_sessions(history) -> None:  # type: ignore[no-untyped-def]
    continued = continue_bars(history, UNIVERSE, AFTER, moves(0.99), "made up")
    coin = continued.frame[continued.frame["symbol"] == "BTC-USD"].set_index("date")["close"]
    friday, saturday, sunday, monday = (coin[pd.Timestamp(2024, 3, day)] for day in (1, 2, 3, 4))
    assert friday == saturday == sunday
    assert monday == pytest.approx(friday * 0.99)


def test_the_panel_of_a_continued_market_falls_by_the_moves(history) -> None:  # type: ignore[no-untyped-def]
    continued = continue_bars(history, UNIVERSE, AFTER, moves(0.99), "made up")
    panel = market_of(continued, last=AFTER[-1].item()).panel
    np.testing.assert_allclose(panel.mark_return[-3:, at("SPY")], -0.01, rtol=1e-9)
    assert (panel.volatility_index[-3:] == 45.0).all()
    assert panel.source == "made up"


def test_an_asset_without_a_move_brings_no_bar(history) -> None:  # type: ignore[no-untyped-def]
    without = moves(0.99)
    without.close[:, at("GLD")] = np.nan
    continued = continue_bars(history, UNIVERSE, AFTER, without, "made up")
    gold = continued.frame[continued.frame["symbol"] == "GLD"]
    assert gold["date"].max() < pd.Timestamp(AFTER[0])


def test_an_asset_without_history_is_not_invented(history) -> None:  # type: ignore[no-untyped-def]
    from trading_lib.domain.market.prices import Bars

    without = Bars(history.frame[history.frame["symbol"] != "TLT"].reset_index(drop=True))
    continued = continue_bars(without, UNIVERSE, AFTER, moves(0.99), "made up")
    assert "TLT" not in continued.symbols
    assert "SPY" in continued.symbols


def test_moves_count_dividends_and_undo_splits() -> None:
    days = CALENDAR.between(date(2024, 3, 4), date(2024, 3, 6))
    rows = price_rows("SPY", days.astype(object), close=[100.0, 49.0, 49.0], open=[100.0, 50.0, 49.0])
    rows = rows.assign(split=[1.0, 2.0, 1.0], dividend=[0.0, 0.0, 0.98])
    index = price_rows(VOLATILITY_INDEX, days.astype(object), close=[20.0, 30.0, 40.0])
    found = moves_of(bars_of(rows, index), UNIVERSE, days)
    np.testing.assert_allclose(found.close[:, at("SPY")], [np.nan, 0.98, 1.02])
    np.testing.assert_allclose(found.open[:, at("SPY")], [np.nan, 1.0, 1.0])
    np.testing.assert_array_equal(found.volatility_index, [20.0, 30.0, 40.0])
    assert np.isnan(found.close[:, at("GLD")]).all()
    assert (found.high[1:, at("SPY")] >= found.close[1:, at("SPY")]).all()
