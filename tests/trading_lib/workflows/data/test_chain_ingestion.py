"""A run through the chain: what came from where, what failed, and what the database then says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from sqlalchemy import text

from tests.builders.prices import instant
from tests.builders.settings import chain_settings, members
from tests.environment.database import table_contents
from tests.environment.moving_clock import MovingClock
from tests.peers.tiingo_prices import TiingoPeer, tiingo_peer
from tests.peers.yahoo_chart import YahooHistory, YahooPeer, yahoo_peer
from trading_lib.adapters.sources.vendors.tiingo import TiingoSource
from trading_lib.domain.errors import DataQualityError, MissingKeyError
from trading_lib.workflows.data import fetch as fetching
from trading_lib.workflows.data import tasks as market_data
from trading_lib.workflows.data.freshness import data_report
from trading_lib.workflows.data.market import market_from_store
from trading_lib.workflows.data.sources import Care, get_source_status, market_store, open_chain
from trading_lib.workflows.setup.settings import Settings

pytestmark = pytest.mark.postgres

SESSION = date(2024, 3, 8)
FIRST = SESSION - timedelta(days=market_data.LOOKBACK_DAYS)
DAYS = [date(2024, 3, day) for day in (1, 4, 5, 6, 7, 8)]
# An hour after the session's close.
NOW = instant("2024-03-08 22:00")


@pytest.fixture
def clock() -> MovingClock:
    return MovingClock(NOW)


@pytest.fixture
def settings(database_url: str, tmp_path: Path, clock: MovingClock) -> Settings:
    return chain_settings(database_url, tmp_path, clock)


@pytest.fixture
def etfs(settings: Settings) -> list[str]:
    return market_data.instrument_groups(settings)["etf"]


@pytest.fixture
def tiingo(etfs: list[str]) -> Iterator[TiingoPeer]:
    with tiingo_peer() as server:
        server.closes = {symbol: {day: 100.0 + day.day for day in DAYS} for symbol in etfs}
        yield server


@pytest.fixture
def yahoo(etfs: list[str]) -> Iterator[YahooPeer]:
    rows = [(day, 200.0, 240.0, 190.0, 200.0 + day.day, 200.0 + day.day, 5000) for day in DAYS]
    days = [FIRST + timedelta(days=number) for number in range(10)]
    coin = [(day, 60000.0, 61000.0, 59000.0, 60500.0, 60500.0, 9) for day in days]
    with yahoo_peer() as server:
        server.histories = {symbol: YahooHistory(rows) for symbol in etfs}
        server.histories["^VIX"] = YahooHistory([(*row[:6], 0) for row in rows], kind="INDEX")
        server.histories["BTC-USD"] = YahooHistory(coin, zone="UTC", kind="CRYPTOCURRENCY")
        yield server


def run(settings: Settings, tiingo: TiingoPeer, yahoo: YahooPeer, home: Path, *groups: str) -> dict[str, Any]:
    plan = market_data.plan(SESSION.isoformat(), "chain", None, "paper", settings)
    usable = members(settings, tiingo.address, yahoo.address, home)
    clock = settings.clock
    assert isinstance(clock, MovingClock)
    chain = open_chain(settings, usable, clock.sleep)
    wanted = groups or plan.groups
    return fetching.ingest_range(plan, wanted, FIRST, SESSION, settings, chain)


def test_the_report_says_which_bar_came_from_where(
    settings: Settings, tiingo: TiingoPeer, yahoo: YahooPeer, tmp_path: Path, etfs: list[str]
) -> None:
    tiingo.script.extend([None, None, 500, 500, 500, "hang", "hang"])
    result = run(settings, tiingo, yahoo, tmp_path)
    from_tiingo = etfs[:2]
    expected = {symbol: "tiingo" if symbol in from_tiingo else "yfinance" for symbol in (*etfs, "BTC-USD", "^VIX")}
    assert result["delivered"] == expected
    assert (result["failures"], result["stale"]) == ({}, {})
    assert result["notes"][0].startswith("polygon is left out")
    assert any(note.startswith(f"{etfs[2]}: yfinance was asked, because tiingo:") for note in result["notes"])
    # Five failures in a row, then nobody asked again.
    assert len(tiingo.asked) == 7
    with settings.engine().connect() as connection:
        stored = connection.execute(text("SELECT DISTINCT symbol, source FROM bars"))
        assert {row.symbol: row.source for row in stored} == expected
    state = get_source_status(settings)["tiingo"]
    assert (state["state"], state["failures_in_a_row"]) == ("open", 5)
    assert "no answer within" in state["last_error"]
    assert "hunter2" not in str((result, state))

    frame = market_store(settings).read_bars("chain", NOW, first=SESSION, last=SESSION).frame
    assert dict(zip(frame["symbol"], frame["source"], strict=True)) == {
        symbol: source for symbol, source in expected.items() if symbol != "BTC-USD"
    }
    quality = market_data.check_completeness(
        market_data.plan(SESSION.isoformat(), "chain", None, "paper", settings), settings
    )
    # The peers know six sessions, which is too little for any signal and therefore a warning of each symbol.
    short = [line for line in quality.pop("lines") if "sessions of history up to 2024-03-08" in line]
    assert len(short) == len(etfs) + 1
    assert quality == {
        "session": "2024-03-08",
        "bars": len(etfs),
        "missing": [],
        "ended": [],
        "quarantined": [],
        "warnings": len(short),
        "severity": "WARNING",
    }


def test_ingesting_twice_changes_no_row(
    settings: Settings, tiingo: TiingoPeer, yahoo: YahooPeer, tmp_path: Path
) -> None:
    first = run(settings, tiingo, yahoo, tmp_path)
    before = table_contents(settings.engine(), "bars", "macro", "ingestions", "raw_responses", "validation_findings")
    asked = len(tiingo.asked)
    again = run(settings, tiingo, yahoo, tmp_path)
    assert first["inserted"] == again["unchanged"] > 0
    assert (again["inserted"], again["revised"]) == (0, 0)
    assert len(tiingo.asked) == asked
    after = table_contents(settings.engine(), "bars", "macro", "ingestions", "raw_responses", "validation_findings")
    assert after == before


def test_when_the_primary_recovers_its_bars_are_news(
    settings: Settings, clock: MovingClock, tiingo: TiingoPeer, yahoo: YahooPeer, tmp_path: Path
) -> None:
    tiingo.always = 503
    run(settings, tiingo, yahoo, tmp_path, "etf")
    store = market_store(settings)
    decided = clock.now
    seen = store.read_bars("chain", decided)
    tiingo.always = None
    clock.advance(3600)
    assert run(settings, tiingo, yahoo, tmp_path, "etf")["delivered"]["SPY"] == "tiingo"
    assert set(store.read_bars("chain", clock.now).frame["source"]) == {"tiingo"}
    assert store.read_bars("chain", decided).frame.equals(seen.frame)
    assert get_source_status(settings)["tiingo"]["state"] == "closed"


def test_a_symbol_that_fails_everywhere_is_listed_and_costs_nothing_else(
    settings: Settings, tiingo: TiingoPeer, yahoo: YahooPeer, tmp_path: Path, etfs: list[str]
) -> None:
    run(settings, tiingo, yahoo, tmp_path)
    for server in (tiingo.closes, yahoo.histories):
        del server["SLV"]  # type: ignore[attr-defined]
    settings.clock.advance(86_400)  # type: ignore[attr-defined]
    result = run(settings, tiingo, yahoo, tmp_path)
    assert list(result["failures"]) == ["SLV"]
    assert "tiingo" in result["failures"]["SLV"]
    assert "yfinance" in result["failures"]["SLV"]
    assert set(result["delivered"]) == {*etfs, "BTC-USD", "^VIX"} - {"SLV"}


def test_a_bar_that_nobody_has_is_missing_and_the_run_goes_on(
    settings: Settings, tiingo: TiingoPeer, yahoo: YahooPeer, tmp_path: Path
) -> None:
    del tiingo.closes["SLV"][SESSION]
    yahoo.histories["SLV"] = YahooHistory(yahoo.histories["SLV"].rows[:-1])
    result = run(settings, tiingo, yahoo, tmp_path)
    assert result["stale"] == {"SLV": "2024-03-07"}
    plan = market_data.plan(SESSION.isoformat(), "chain", None, "paper", settings)
    quality = market_data.check_completeness(plan, settings)
    assert (quality["missing"], quality["severity"]) == (["SLV"], "WARNING")
    assert quality["lines"][0] == "SLV has no accepted bar on 2024-03-08"
    assert all("sessions of history" in line for line in quality["lines"][1:])
    market = market_from_store(
        market_store(settings), "chain", settings.configuration.universe, settings.calendar, SESSION
    )
    assert not market.panel.fresh[-1, settings.configuration.universe.positions["SLV"]]


def test_too_many_missing_bars_fail_the_session(
    settings: Settings, tiingo: TiingoPeer, yahoo: YahooPeer, tmp_path: Path, etfs: list[str]
) -> None:
    for symbol in etfs[:8]:
        del tiingo.closes[symbol][SESSION]
        yahoo.histories[symbol] = YahooHistory(yahoo.histories[symbol].rows[:-1])
    run(settings, tiingo, yahoo, tmp_path)
    plan = market_data.plan(SESSION.isoformat(), "chain", None, "paper", settings)
    with pytest.raises(DataQualityError, match=r"8 of 14 exchange bars of session 2024-03-08 are missing from chain"):
        market_data.check_completeness(plan, settings)


def quarantine(settings: Settings) -> list[tuple[str, str, str]]:
    query = text("SELECT source, symbol, session::text FROM quarantine ORDER BY 1, 2, 3")
    with settings.engine().connect() as connection:
        return [(row[0], row[1], row[2]) for row in connection.execute(query)]


def judge(settings: Settings) -> dict[str, Any]:
    return market_data.check_completeness(
        market_data.plan(SESSION.isoformat(), "chain", None, "paper", settings), settings
    )


def test_a_quarantined_bar_is_asked_of_the_next_source(
    settings: Settings, tiingo: TiingoPeer, yahoo: YahooPeer, tmp_path: Path
) -> None:
    tiingo.closes["SPY"][SESSION] = -5.0
    result = run(settings, tiingo, yahoo, tmp_path)
    assert result["quarantined"] == 1
    assert quarantine(settings) == [("tiingo", "SPY", "2024-03-08")]
    assert result["delivered"]["SPY"] == "tiingo"
    assert result["replaced"] == {"SPY": {"2024-03-08": "yfinance"}}
    frame = market_store(settings).read_bars("chain", NOW, ["SPY"]).frame
    assert frame["source"].tolist() == ["tiingo"] * 5 + ["yfinance"]
    assert frame["close"].iloc[-1] == 208.0
    judged = judge(settings)
    assert (judged["quarantined"], judged["severity"]) == ([], "WARNING")
    # The other source's level is another one, and that jump is an alert.
    others = [line for line in judged["lines"] if "sessions of history" not in line]
    assert others
    assert all(line.startswith("SPY 2024-03-08: ") for line in others)
    again = run(settings, tiingo, yahoo, tmp_path)
    assert (again["inserted"], again["revised"]) == (0, 0)


def test_a_bar_that_every_source_has_wrong_stays_quarantined(
    settings: Settings, tiingo: TiingoPeer, yahoo: YahooPeer, tmp_path: Path
) -> None:
    tiingo.closes["SPY"][SESSION] = -5.0
    *rows, last = yahoo.histories["SPY"].rows
    yahoo.histories["SPY"] = YahooHistory([*rows, (last[0], 200.0, 190.0, 240.0, 200.0, 200.0, 5000)])
    result = run(settings, tiingo, yahoo, tmp_path)
    assert (result["quarantined"], result["replaced"]) == (2, {})
    assert quarantine(settings) == [("tiingo", "SPY", "2024-03-08"), ("yfinance", "SPY", "2024-03-08")]
    assert (judge(settings)["quarantined"], judge(settings)["severity"]) == (["SPY"], "ERROR")
    assert judge(settings)["lines"][-1].startswith("SPY is quarantined on 2024-03-08: ")


def test_a_corrected_bar_is_news_of_the_day_it_came(
    settings: Settings, clock: MovingClock, tiingo: TiingoPeer, yahoo: YahooPeer, tmp_path: Path
) -> None:
    """Decisions of that day were made without the bar, and an as-of read must go on saying so."""
    tiingo.closes["SPY"][SESSION] = -5.0
    yahoo.histories["SPY"] = YahooHistory(yahoo.histories["SPY"].rows[:-1])
    run(settings, tiingo, yahoo, tmp_path)
    decided = settings.calendar.decision_time(SESSION)
    store = market_store(settings)
    before = store.read_bars("chain", decided, ["SPY"]).frame
    assert before["date"].max().date() == date(2024, 3, 7)
    tiingo.closes["SPY"][SESSION] = 108.0
    clock.now = instant("2024-03-09 14:00")
    run(settings, tiingo, yahoo, tmp_path)
    pd.testing.assert_frame_equal(store.read_bars("chain", decided, ["SPY"]).frame, before)
    (corrected,) = store.read_bars("chain", clock.now, ["SPY"], SESSION, SESSION).frame["available_at"]
    assert corrected == clock.now


def test_the_data_report_shows_freshness_gaps_and_revisions(
    settings: Settings, clock: MovingClock, tiingo: TiingoPeer, yahoo: YahooPeer, tmp_path: Path
) -> None:
    for server in (tiingo.closes["GLD"], tiingo.closes["TLT"]):
        del server[date(2024, 3, 5)], server[date(2024, 3, 6)]
    run(settings, tiingo, yahoo, tmp_path)
    tiingo.closes["SPY"][date(2024, 3, 7)] = 111.0
    clock.now = instant("2024-03-11 21:00")
    run(settings, tiingo, yahoo, tmp_path, "etf")
    report = data_report(settings=settings)
    assert report["source"] == "chain"
    spy, gold, coin = (report["symbols"][symbol] for symbol in ("SPY", "GLD", "BTC-USD"))
    assert (spy["revisions"], spy["behind"], spy["missing"]) == (1, 1, 0)
    assert spy["last_revised"] == clock.now.isoformat()
    assert spy["missing_since_inception"] == len(settings.calendar.between(date(1993, 1, 29), date(2024, 2, 29)))
    assert gold["gaps"] == [{"from": "2024-03-05", "to": "2024-03-06", "days": 2}]
    assert (coin["behind"], coin["missing_since_inception"]) == (3, 0)
    assert "GLD: 2 days missing in 1 gaps, the longest 2024-03-05 to 2024-03-06" in report["problems"]
    assert "SPY: 1 days behind, the newest bar is of 2024-03-08" in report["problems"]


def test_a_single_source_is_asked_with_the_same_care(
    settings: Settings, clock: MovingClock, tiingo: TiingoPeer, etfs: list[str]
) -> None:
    tiingo.script.extend([500])
    source = TiingoSource(settings.configuration.universe, "hunter2", tiingo.address)
    careful = Care(settings, clock.sleep).of_bars("tiingo", source)
    plan = market_data.plan(SESSION.isoformat(), "simulated", None, "demo", settings)
    plan = replace(plan, source="tiingo", source_name="tiingo")
    result = fetching.ingest_range(plan, ["etf"], FIRST, SESSION, settings, careful)
    assert result["delivered"] == dict.fromkeys(etfs, "tiingo")
    assert len(tiingo.asked) == len(etfs) + 1
    state = get_source_status(settings)["tiingo"]
    assert state["last_failure_at"] is not None
    assert state["last_answer_at"] == clock.now.isoformat()


def test_a_source_without_its_key_is_refused_by_name(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRADING_TIINGO_API_KEY", raising=False)
    with pytest.raises(MissingKeyError, match="TRADING_TIINGO_API_KEY"):
        market_data.plan(SESSION.isoformat(), "tiingo", None, "paper", settings)
