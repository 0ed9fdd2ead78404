"""All rules together: what is quarantined, what is confirmed, what the report says."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from tests.builders.histories import DAYS, price_frame, scaled, walk, with_dividends
from tests.builders.prices import bars_of, instant, universe
from trading_lib.domain.market.prices import Bars
from trading_lib.validation.context import AcceptedHistory
from trading_lib.validation.quality import PriceDataset, assess_prices, validate_history
from trading_lib.validation.report import Severity

LATER = instant("2023-06-30")
ROW = 200
ETFS = ("DBC", "EEM", "GLD", "QQQ", "SLV", "SPY", "TLT")


def market(**changed: pd.DataFrame) -> Bars:
    frames = {symbol: price_frame(symbol, walk(seed)) for seed, symbol in enumerate(ETFS)}
    return bars_of(*(frames | changed).values())


def test_a_sound_market_passes_whole() -> None:
    bars = market()
    report = validate_history(bars, universe(), LATER)
    assert report.findings == ()
    assert len(report.accepted) == len(bars)


def test_no_bars_have_no_findings() -> None:
    assert validate_history(Bars.empty(), universe(), LATER).findings == ()
    assert assess_prices([], universe(), LATER).worst is None


def test_a_wrong_unit_is_kept_out_of_the_accepted_bars() -> None:
    bars = market(SLV=scaled(price_frame("SLV", walk(4)), slice(ROW, ROW + 1), 100.0))
    report = validate_history(bars, universe(), LATER)
    day = pd.Timestamp(DAYS[ROW])
    assert [(f.symbol, f.rule) for f in report.errors] == [("SLV", "price_scale")]
    assert report.quarantined.frame[["symbol", "date"]].to_numpy().tolist() == [["SLV", day]]
    kept = report.accepted.frame
    assert len(kept) == len(bars) - 1
    assert kept[(kept["symbol"] == "SLV") & (kept["date"] == day)].empty


def test_what_only_the_next_day_shows_alerts_and_takes_nothing_back() -> None:
    bars = market(SLV=scaled(price_frame("SLV", walk(4)), slice(ROW, ROW + 1), 1.4))
    report = validate_history(bars, universe(), LATER)
    assert [(f.symbol, f.rule, f.severity) for f in report.findings] == [("SLV", "bad_tick", Severity.WARNING)]
    assert len(report.quarantined) == 0
    hindsight = assess_prices([PriceDataset("file", bars, bars.frame)], universe(), LATER)
    assert [(f.rule, f.severity) for f in hindsight.findings] == [("bad_tick", Severity.ERROR)]


def test_a_few_new_bars_are_judged_with_the_history_they_continue() -> None:
    bars = market(SLV=scaled(price_frame("SLV", walk(4)), slice(-2, -1), 1.4))
    frame = bars.frame
    new = frame["date"] >= pd.Timestamp(DAYS[-3])
    fresh, known = Bars(frame[new].reset_index(drop=True)), Bars(frame[~new].reset_index(drop=True))
    assert validate_history(fresh, universe(), LATER).findings == ()
    report = validate_history(fresh, universe(), LATER, history=AcceptedHistory(known))
    assert [(f.symbol, f.session, f.rule) for f in report.findings] == [("SLV", DAYS[-2].item(), "bad_tick")]
    assert len(report.accepted) == len(fresh)


def test_the_same_tick_in_another_source_is_an_event() -> None:
    silver = scaled(price_frame("SLV", walk(4)), slice(ROW, ROW + 1), 1.6)
    bars, other = market(SLV=silver), bars_of(silver, source="other")
    alone = validate_history(bars, universe(), LATER)
    assert {f.rule for f in alone.findings} == {"bad_tick", "price_jump"}
    assert validate_history(bars, universe(), LATER, cross_checks=[other]).findings == ()


def test_a_day_on_which_everything_leapt_is_an_event() -> None:
    frames = [scaled(price_frame(s, walk(n)), slice(ROW, ROW + 1), 0.8) for n, s in enumerate(ETFS)]
    assert validate_history(bars_of(*frames), universe(), LATER).findings == ()


def test_a_cross_check_that_differs_alerts_and_never_becomes_a_bar() -> None:
    other = bars_of(scaled(price_frame("SPY", walk(5)), slice(ROW, ROW + 1), 1.03), source="other")
    bars = market()
    report = validate_history(bars, universe(), LATER, cross_checks=[other])
    assert [(f.symbol, f.rule, f.severity) for f in report.findings] == [("SPY", "source_deviation", Severity.WARNING)]
    pd.testing.assert_frame_equal(report.accepted.frame, bars.frame)


def test_an_absent_bar_quarantines_no_other() -> None:
    holed = price_frame("SPY", walk(5)).drop(index=range(5, len(DAYS) - 1, 10))
    report = validate_history(market(SPY=holed), universe(), LATER)
    assert "missing_sessions" in {f.rule for f in report.warnings}
    assert (report.errors, len(report.quarantined)) == ((), 0)


def test_accepted_and_quarantined_are_what_came_in() -> None:
    silver = scaled(price_frame("SLV", walk(4)), slice(ROW, ROW + 1), 100.0)
    silver.loc[10, "close"] = -1.0
    bars = market(SLV=silver)
    report = validate_history(bars, universe(), LATER)
    together = pd.concat([report.accepted.frame, report.quarantined.frame])
    assert len(report.quarantined) == 2
    pd.testing.assert_frame_equal(together.sort_values(["symbol", "date"], ignore_index=True), bars.frame)


def test_a_symbol_outside_the_universe_is_judged_without_a_calendar() -> None:
    weekend = pd.date_range("2021-01-01", periods=300).to_numpy().astype("datetime64[D]")
    frame = with_dividends(price_frame("XYZ", days=weekend), {ROW: 0.05}).assign(adj_close=lambda f: f["close"])
    dataset = PriceDataset("file", bars_of(frame), frame)
    report = assess_prices([dataset], universe(), LATER)
    assert [(f.symbol, f.rule, f.dataset) for f in report.findings] == [("XYZ", "dividend_not_adjusted", "file")]
    assert report.symbols[0].coverage is None


def test_the_report_counts_by_symbol_and_rule() -> None:
    silver = scaled(price_frame("SLV", walk(4)), slice(ROW, ROW + 1), 1.4).drop(index=[50])
    bars = market(SLV=silver)
    report = assess_prices([PriceDataset("file", bars, bars.frame)], universe(), LATER)
    record = json.loads(json.dumps(report.as_record()))
    assert record["worst"] == "ERROR"
    assert record["counts"] == {"bad_tick": 1, "missing_bar": 1}
    entry = record["symbols"]["SLV"]
    assert (entry["bars"], entry["worst"], entry["rules"]) == (len(DAYS) - 1, "ERROR", record["counts"])
    assert entry["coverage"] == pytest.approx(1 - 1 / len(DAYS), abs=1e-6)
    assert record["symbols"]["SPY"]["worst"] is None
    assert set(record["findings"][0]) >= {"symbol", "session", "rule", "severity", "value", "message"}


def test_the_volatility_index_may_double() -> None:
    levels = np.full(len(DAYS), 15.0)
    levels[ROW] = 37.0
    frame = price_frame("^VIX", levels)
    assert assess_prices([PriceDataset("file", bars_of(frame), frame)], universe(), LATER).findings == ()
