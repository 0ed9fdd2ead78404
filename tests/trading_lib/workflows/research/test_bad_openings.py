"""One wrong opening in a folder of prices: no fill is made at it, and everything says so."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.builders.settings import make_settings
from tests.environment.command_line import run
from trading_lib.backtest.engine import require_value
from trading_lib.domain.book.orders import Side
from trading_lib.domain.errors import DataQualityError
from trading_lib.domain.market.sessions import exchange_sessions
from trading_lib.workflows.research import backtest as backtesting
from trading_lib.workflows.research.backtest import BacktestRun

FIRST, LAST = date(2014, 1, 2), date(2016, 12, 30)
WINDOW = date(2015, 1, 2), LAST


def write_one_asset(folder: Path, wrong: tuple[date, float] | None = None) -> Path:
    """XLK that rises and falls in long swings, and a calm ^VIX; of one day the opening may be off by a factor."""
    folder.mkdir()
    sessions = exchange_sessions().between(FIRST, LAST)
    generator = np.random.default_rng(11)
    trend = 0.0016 * np.sin(np.arange(len(sessions)) / 60.0)
    close = 40.0 * np.exp(np.cumsum(trend + generator.normal(0, 0.004, len(sessions))))
    opening = np.r_[close[0], close[:-1]] * np.exp(generator.normal(0, 0.002, len(sessions)))
    rows = pd.DataFrame({"symbol": "XLK", "date": sessions.astype(str), "open": opening.round(4)})
    rows = rows.assign(
        high=(np.maximum(opening, close) * 1.003).round(4), low=(np.minimum(opening, close) * 0.997).round(4),
        close=close.round(4), volume=5_000_000,
    )  # fmt: skip
    if wrong is not None:
        day, factor = wrong
        rows.loc[rows["date"] == str(day), "open"] *= factor
    rows.to_csv(folder / "XLK.csv", index=False)
    level = pd.DataFrame({"symbol": "^VIX", "date": sessions.astype(str), "open": 15.0, "high": 15.0, "low": 15.0})
    level.assign(close=15.0, volume=0).to_csv(folder / "VIX.csv", index=False)
    return folder


def backtest(folder: Path, home: Path) -> BacktestRun:
    return backtesting.backtest(make_settings("", home), *WINDOW, folder)


@pytest.fixture
def right(tmp_path: Path) -> BacktestRun:
    return backtest(write_one_asset(tmp_path / "right"), tmp_path)


@pytest.mark.parametrize(("side", "factor"), [(Side.BUY, 0.1), (Side.BUY, 10.0), (Side.SELL, 0.1), (Side.SELL, 10.0)])
def test_an_opening_off_by_ten_moves_the_value_by_a_day_of_the_order_and_no_more(
    right: BacktestRun, tmp_path: Path, side: Side, factor: float
) -> None:
    met = next(fill for fill in right.result.fills if fill.side is side)
    found = backtest(write_one_asset(tmp_path / "wrong", (met.session, factor)), tmp_path)
    assert found.report["final_nav"] == pytest.approx(right.report["final_nav"], rel=0.005)
    cancelled = found.report["cancelled"]
    assert len(cancelled) == found.report["cancelled_orders"] == 1
    assert (cancelled[0]["symbol"], cancelled[0]["session"], cancelled[0]["side"]) == ("XLK", str(met.session), side)
    assert cancelled[0]["quantity"] == float(met.quantity)
    opening = f"{float((met.reference_price * round(factor * 10)) / 10):g}"
    assert f"XLK {met.session}: the opening {opening[:5]}" in cancelled[0]["reason"]
    # What was not filled is decided again, and every fill lies within its bar.
    assert found.result.order_count >= right.result.order_count


def test_the_terminal_and_the_tear_sheet_name_the_cancelled_order(
    right: BacktestRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TRADING_HOME", str(tmp_path / "home"))
    met = right.result.fills[0]
    folder = write_one_asset(tmp_path / "wrong", (met.session, 0.1))
    out, page = tmp_path / "out.json", tmp_path / "page.html"
    window = ("--from", str(WINDOW[0]), "--to", str(WINDOW[1]))
    files = ("--out", str(out), "--tear-sheet", str(page))
    assert run("backtest", *window, "--data", str(folder), "--no-track", *files) == 0
    printed = capsys.readouterr().out
    (one,) = json.loads(out.read_text())["cancelled"]
    assert "1 order cancelled, whole or in part" in printed
    assert one["reason"] in printed
    assert one["reason"].replace("'", "&#x27;") in page.read_text()


def test_a_value_that_is_gone_names_its_day_and_what_was_held(right: BacktestRun) -> None:
    result = right.result
    step = int(np.flatnonzero(result.quantity.any(axis=1))[5])
    result.nav[step] = -12.5
    universe = right.analysis.record.universe
    with pytest.raises(DataQualityError, match=rf"{result.sessions[step]} \(\$-12\.50, with XLK\): look there"):
        require_value(result, universe, "look there")


@pytest.mark.parametrize("case", ["buy_at_tenth", "sell_at_ten_times", "buy_at_ten_times", "right"])
def test_the_shared_cases_come_out_right(shared_cases: Path, tmp_path: Path, case: str) -> None:
    found = backtest(shared_cases / "bad_open_fill" / case, tmp_path)
    assert found.report["final_nav"] == pytest.approx(102_540, rel=0.003)
    assert len(found.report["cancelled"]) == (case != "right")
