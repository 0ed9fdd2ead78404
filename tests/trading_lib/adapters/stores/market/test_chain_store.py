"""Reading a chain: one bar per day, by source order, and nothing that was not known yet."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from tests.builders.stored_bars import bar, bars, known_at, macro
from trading_lib.adapters.stores.market.chain_store import ChainStore
from trading_lib.adapters.stores.market.market_store import MarketStore
from trading_lib.domain.market.prices import Bars
from trading_lib.market_data.source_order import SourceOrder
from trading_lib.validation.report import Finding, Severity

pytestmark = pytest.mark.postgres

ORDER = SourceOrder("chain", {"SPY": ("first", "second"), "BTC-USD": ("second", "third")}, ("fred", "other"))
DAYS = [date(2024, 3, day) for day in (4, 5, 6)]
LATER = datetime(2024, 3, 20, tzinfo=UTC)


@pytest.fixture
def store(engine: Engine) -> ChainStore:
    return ChainStore(engine, ORDER)


def closes(store: ChainStore, as_of: datetime, **arguments: object) -> dict[tuple[str, date], tuple[str, float]]:
    frame = store.read_bars("chain", as_of, **arguments).frame  # type: ignore[arg-type]
    return {(row.symbol, row.date.date()): (row.source, row.close) for row in frame.itertuples()}


def put(store: MarketStore, source: str, day: date, close: float, now: datetime, symbol: str = "SPY") -> None:
    store.upsert_bars(bars(bar(symbol, day, source=source, close=close)), now)


def test_the_preferred_source_stands_where_both_came_together(store: ChainStore) -> None:
    both = bars(bar("SPY", DAYS[0], source="second", close=2.0), bar("SPY", DAYS[0], source="first", close=1.0))
    store.upsert_bars(both, LATER)
    put(store, "second", DAYS[1], 3.0, LATER)
    assert closes(store, LATER) == {("SPY", DAYS[0]): ("first", 1.0), ("SPY", DAYS[1]): ("second", 3.0)}


def test_what_another_source_brings_later_is_news_of_that_moment(store: ChainStore) -> None:
    decided = known_at(DAYS[0])
    put(store, "second", DAYS[0], 2.0, decided)
    put(store, "first", DAYS[0], 1.0, LATER)
    assert closes(store, decided) == {("SPY", DAYS[0]): ("second", 2.0)}
    assert closes(store, LATER - timedelta(seconds=1)) == {("SPY", DAYS[0]): ("second", 2.0)}
    assert closes(store, LATER) == {("SPY", DAYS[0]): ("first", 1.0)}
    assert store.read_bars("first", decided).frame["close"].tolist() == [1.0]


def test_a_less_preferred_source_changes_nothing_later(store: ChainStore) -> None:
    put(store, "first", DAYS[0], 1.0, known_at(DAYS[0]))
    put(store, "second", DAYS[0], 2.0, LATER)
    assert closes(store, LATER + timedelta(days=1)) == {("SPY", DAYS[0]): ("first", 1.0)}


def test_a_revision_is_seen_from_its_moment_on(store: ChainStore) -> None:
    put(store, "first", DAYS[0], 1.0, known_at(DAYS[0]))
    put(store, "first", DAYS[0], 1.5, LATER)
    assert closes(store, LATER - timedelta(seconds=1))["SPY", DAYS[0]] == ("first", 1.0)
    assert closes(store, LATER)["SPY", DAYS[0]] == ("first", 1.5)


def test_only_the_sources_of_a_symbol_count(store: ChainStore) -> None:
    put(store, "third", DAYS[0], 9.0, LATER)
    put(store, "third", DAYS[0], 8.0, LATER, "BTC-USD")
    put(store, "first", DAYS[0], 7.0, LATER, "GLD")
    assert closes(store, LATER) == {("BTC-USD", DAYS[0]): ("third", 8.0)}


def test_symbols_and_dates_are_cut_out(store: ChainStore) -> None:
    for day in DAYS:
        put(store, "first", day, 1.0, LATER)
        put(store, "second", day, 1.0, LATER, "BTC-USD")
    assert set(closes(store, LATER, symbols=["SPY"], first=DAYS[1], last=DAYS[1])) == {("SPY", DAYS[1])}


def test_an_open_day_shows_its_opening_price_only(store: ChainStore) -> None:
    put(store, "third", DAYS[0], 8.0, LATER, "BTC-USD")
    put(store, "second", DAYS[0], 7.0, LATER + timedelta(days=1), "BTC-USD")
    during = known_at(DAYS[0]) - timedelta(hours=3)
    frame = store.read_bars("chain", during, opened=True, always_open=["BTC-USD"]).frame
    assert frame["source"].tolist() == ["third"]
    assert frame["open"].tolist() == [100.0]
    assert frame[["high", "low", "close"]].isna().all(axis=None)
    ranged = store.read_bars("chain", during, opened=True, always_open=["BTC-USD"], ranges=True).frame
    assert ranged["source"].tolist() == ["third"]
    assert np.isfinite(ranged[["open", "high", "low"]]).all(axis=None)
    assert ranged[["close", "volume"]].isna().all(axis=None)
    assert closes(store, known_at(DAYS[0]), opened=True, always_open=["BTC-USD"]) == {
        ("BTC-USD", DAYS[0]): ("third", 8.0)
    }
    assert closes(store, during) == {}


def test_other_sources_are_read_as_ever(store: ChainStore, engine: Engine) -> None:
    put(store, "first", DAYS[0], 1.0, LATER)
    plain = MarketStore(engine)
    pd.testing.assert_frame_equal(store.read_bars("first", LATER).frame, plain.read_bars("first", LATER).frame)
    assert store.coverage("first") == plain.coverage("first")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    arrivals=st.lists(
        st.tuples(st.sampled_from(["first", "second"]), st.sampled_from(DAYS), st.integers(0, 9), st.integers(1, 9)),
        max_size=12,
    ),
)
def test_what_was_read_once_can_be_read_again(
    shared_engine: Engine, arrivals: list[tuple[str, date, int, int]]
) -> None:
    """A bar that was read stays what it was at that instant, as a paper run and its backtest need.

    A day of which nothing was stored may be filled in later, as of any single source (`upsert_bars`).
    """
    with shared_engine.begin() as connection:
        connection.execute(text("TRUNCATE bars"))
    store = ChainStore(shared_engine, ORDER)
    moment = known_at(DAYS[-1])
    read: list[tuple[datetime, Bars]] = []
    for source, day, wait, close in arrivals:
        moment += timedelta(hours=wait)
        put(store, source, day, float(close), moment)
        read.append((moment, store.read_bars("chain", moment)))
        moment += timedelta(hours=1)
    for as_of, before in read:
        after = store.read_bars("chain", as_of).frame
        same_days = after[after["date"].isin(before.frame["date"])].reset_index(drop=True)
        pd.testing.assert_frame_equal(same_days, before.frame)


def test_a_series_comes_from_the_first_source_that_has_it(store: ChainStore) -> None:
    known = datetime(2024, 3, 6, tzinfo=UTC)
    store.upsert_macro(macro(("DFF", DAYS[0], 5.3, known), source="other"), LATER)
    store.upsert_macro(macro(("DFF", DAYS[1], 5.4, known), ("CPI", DAYS[0], 3.0, known), source="other"), LATER)
    store.upsert_macro(macro(("CPI", DAYS[0], 3.1, known), source="fred"), LATER)
    frame = store.read_macro("chain", LATER).frame
    assert list(zip(frame["series"], frame["source"], frame["value"], strict=True)) == [
        ("CPI", "fred", 3.1),
        ("DFF", "other", 5.3),
        ("DFF", "other", 5.4),
    ]
    members = store.read_macro_vintages("chain", LATER)
    assert [one.frame["source"].unique().tolist() for one in members] == [["fred"], ["other"]]
    assert [len(one.frame) for one in members] == [1, 3]


def found(symbol: str, rule: str) -> Finding:
    return Finding(symbol, DAYS[0], rule, Severity.ERROR, 1.0, f"{symbol}: {rule}")


def test_a_good_bar_of_another_member_lifts_the_quarantine(store: ChainStore) -> None:
    bad = bars(bar("SPY", DAYS[0], source="first", close=np.inf))
    store.save_validation("first", [found("SPY", "not_finite_price")], bad, LATER)
    store.save_validation("third", [found("SPY", "elsewhere")], Bars.empty(), LATER)
    assert store.quarantined("chain", DAYS[0]) == {"SPY": ("not_finite_price",)}
    put(store, "third", DAYS[0], 1.0, LATER)
    assert store.quarantined("chain", DAYS[0]) == {"SPY": ("not_finite_price",)}
    put(store, "second", DAYS[0], 1.0, LATER)
    assert store.quarantined("chain", DAYS[0]) == {}


def test_coverage_joins_the_members(store: ChainStore) -> None:
    put(store, "first", DAYS[0], 1.0, LATER)
    put(store, "second", DAYS[0], 1.0, LATER)
    put(store, "second", DAYS[2], 1.0, LATER)
    assert store.coverage("chain") == {"SPY": (DAYS[0], DAYS[2], 2)}
