from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from itertools import count

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from tests.builders.stored_bars import DAY, NOW, SOURCE, bar, bars, known_at, macro, random_bars
from tests.environment.database import table_contents
from trading_lib.adapters.stores.market.market_store import MarketStore
from trading_lib.adapters.stores.postgres.revisions import UpsertCounts
from trading_lib.domain.errors import InputError, NaiveDatetimeError
from trading_lib.domain.market.prices import Bars, MacroSeries

pytestmark = pytest.mark.postgres

LATER = NOW + timedelta(hours=1)
fresh_source = count()


@pytest.fixture
def store(engine: Engine) -> MarketStore:
    return MarketStore(engine)


def test_bars_come_back_exactly_as_they_went_in(store: MarketStore) -> None:
    # Lower case, hyphen and caret: the server's collation would sort them differently.
    stored = random_bars(["SPY", "BTC-USD", "^VIX", "spy", "Ünï"], 40)
    assert store.upsert_bars(stored, NOW) == UpsertCounts(len(stored), 0, 0)
    pd.testing.assert_frame_equal(store.read_bars(SOURCE, NOW).frame, stored.frame, check_exact=True)


def test_second_upsert_of_the_same_writes_nothing(store: MarketStore, engine: Engine) -> None:
    stored = random_bars(["SPY", "GLD"], 50)
    store.upsert_bars(stored, NOW)
    before = table_contents(engine, "bars")
    assert store.upsert_bars(stored, LATER) == UpsertCounts(0, 0, len(stored))
    assert table_contents(engine, "bars") == before


@pytest.mark.parametrize(
    "change",
    [
        {"open": 100.5},
        {"high": 104.0},
        {"low": 99.0},
        {"close": np.nextafter(101.1, 102.0)},
        {"adj_close": np.nan},
        {"volume": 0.0},
        {"dividend": 0.25},
        {"split": 2.0},
        {"adjustment": "split"},
    ],
)
def test_any_changed_field_is_a_revision_known_only_from_now_on(store: MarketStore, change: dict[str, object]) -> None:
    first, second = bars(bar()), bars(bar(**change))
    store.upsert_bars(first, NOW)
    assert store.upsert_bars(second, LATER) == UpsertCounts(0, 1, 0)

    pd.testing.assert_frame_equal(
        store.read_bars(SOURCE, LATER - timedelta(microseconds=1)).frame, first.frame, check_exact=True
    )
    revised = store.read_bars(SOURCE, LATER).frame
    pd.testing.assert_frame_equal(
        revised.drop(columns="available_at"), second.frame.drop(columns="available_at"), check_exact=True
    )
    assert revised["available_at"].tolist() == [LATER]
    # Back to the first values is a revision as well, not a return to the old row.
    assert store.upsert_bars(first, LATER + timedelta(hours=1)) == UpsertCounts(0, 1, 0)


def test_missing_values_equal_missing_values(store: MarketStore) -> None:
    row = bar(open=np.nan, high=np.nan, low=np.nan, volume=np.nan, adj_close=np.nan, dividend=np.nan)
    store.upsert_bars(bars(row), NOW)
    assert store.upsert_bars(bars(row), LATER) == UpsertCounts(0, 0, 1)


def test_revision_never_precedes_what_it_revises(store: MarketStore) -> None:
    """A clock that went back must not hide the revision behind the old row."""
    store.upsert_bars(bars(bar()), NOW)
    store.upsert_bars(bars(bar(close=102.0)), NOW)
    store.upsert_bars(bars(bar(close=103.0)), NOW - timedelta(days=1))
    newest = store.read_bars(SOURCE, NOW + timedelta(microseconds=1)).frame
    assert newest["close"].tolist() == [103.0]
    assert newest["available_at"].tolist() == [NOW + timedelta(microseconds=1)]


def test_bar_is_invisible_before_it_is_known(store: MarketStore) -> None:
    store.upsert_bars(bars(bar()), NOW)
    assert len(store.read_bars(SOURCE, known_at(DAY) - timedelta(microseconds=1))) == 0
    assert len(store.read_bars(SOURCE, known_at(DAY))) == 1


operations = st.lists(
    st.tuples(
        st.lists(st.tuples(st.sampled_from("AB"), st.integers(0, 2), st.sampled_from([1.0, 2.0, np.nan])), max_size=5),
        st.integers(-3, 100),
    ),
    max_size=7,
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(operations, st.lists(st.integers(-2, 120), max_size=6))
def test_reads_as_of_any_time_agree_with_a_plain_model(
    shared_engine: Engine, batches: list[tuple[list[tuple[str, int, float]], int]], moments: list[int]
) -> None:
    """Model: per symbol and day a list of (available_at, close); times are in hours after the first day."""
    store, source = MarketStore(shared_engine), f"model-{next(fresh_source)}"
    start = known_at(DAY)
    model: dict[tuple[str, date], list[tuple[datetime, float]]] = defaultdict(list)
    for rows, hour in batches:
        now = start + timedelta(hours=hour)
        batch = {(symbol, DAY + timedelta(days=offset)): close for symbol, offset, close in rows}
        counts = [0, 0, 0]
        for key, close in batch.items():
            versions = model[key]
            if not versions:
                versions.append((known_at(key[1]), close))
                counts[0] += 1
            elif repr(versions[-1][1]) != repr(close):
                versions.append((max(now, versions[-1][0] + timedelta(microseconds=1)), close))
                counts[1] += 1
            else:
                counts[2] += 1
        arriving = bars(*(bar(symbol, day, close=close, source=source) for (symbol, day), close in batch.items()))
        assert store.upsert_bars(arriving, now) == UpsertCounts(*counts)

    for hour in moments:
        as_of = start + timedelta(hours=hour)
        expected = {}
        for key, versions in model.items():
            known = [version for version in versions if version[0] <= as_of]
            if known:
                expected[key] = (known[-1][0], repr(known[-1][1]))
        frame = store.read_bars(source, as_of).frame
        found = {
            (row.symbol, row.date.date()): (row.available_at.to_pydatetime(), repr(float(row.close)))
            for row in frame.itertuples()
        }
        assert found == expected
        assert len(frame) == len(expected)


def test_selection_by_symbol_date_and_source(store: MarketStore) -> None:
    stored = random_bars(["AAA", "BBB", "CCC"], 10)
    store.upsert_bars(stored, NOW)
    store.upsert_bars(bars(bar("AAA", source="another")), NOW)
    first, last = date(2020, 1, 3), date(2020, 1, 5)
    chosen = store.read_bars(SOURCE, NOW, symbols=["CCC", "AAA", "ZZZ"], first=first, last=last)
    frame = stored.frame
    expected = frame[
        frame["symbol"].isin(["AAA", "CCC"]) & frame["date"].between(pd.Timestamp(first), pd.Timestamp(last))
    ].reset_index(drop=True)
    pd.testing.assert_frame_equal(chosen.frame, expected, check_exact=True)
    assert len(expected) == 6


@pytest.mark.parametrize(("source", "symbols"), [("nothing", None), (SOURCE, ["ZZZ"]), (SOURCE, [])])
def test_nothing_found_is_an_empty_answer_of_the_right_types(
    store: MarketStore, source: str, symbols: list[str] | None
) -> None:
    store.upsert_bars(bars(bar()), NOW)
    pd.testing.assert_frame_equal(store.read_bars(source, NOW, symbols).frame, Bars.empty().frame)
    assert store.upsert_bars(Bars.empty(), NOW) == UpsertCounts(0, 0, 0)


def test_forming_bar_shows_its_open_and_nothing_else(store: MarketStore) -> None:
    """At 21:30 UTC of day D, Bitcoin's bar of D has opened; its high, low, close and volume lie in the future."""
    btc = [
        bar("BTC-USD", DAY + timedelta(days=offset), open=60_000.0 + offset, dividend=np.nan) for offset in (-1, 0, 1)
    ]
    store.upsert_bars(bars(*btc, bar("SPY", DAY)), NOW)
    as_of = datetime(DAY.year, DAY.month, DAY.day, 21, 30, tzinfo=UTC)

    answer = store.read_bars(SOURCE, as_of, opened=True, always_open=["BTC-USD"]).frame
    assert list(zip(answer["symbol"], answer["date"].dt.date, strict=True)) == [
        ("BTC-USD", DAY - timedelta(days=1)),
        ("BTC-USD", DAY),
    ]
    forming = answer.iloc[1]
    assert forming["open"] == 60_000.0
    assert forming[["high", "low", "close", "adj_close", "volume"]].isna().all()
    assert (forming["dividend"], forming["split"]) == (0.0, 1.0)
    assert forming["available_at"] > as_of
    assert answer.dtypes.to_dict() == store.read_bars(SOURCE, NOW).frame.dtypes.to_dict()
    # The range judges the opening and is asked for by name; close and volume stay unknown.
    ranged = store.read_bars(SOURCE, as_of, opened=True, always_open=["BTC-USD"], ranges=True).frame.iloc[1]
    whole = store.read_bars(SOURCE, NOW, symbols=["BTC-USD"]).frame.iloc[1]
    assert ranged[["open", "high", "low"]].tolist() == whole[["open", "high", "low"]].tolist()
    assert ranged[["close", "adj_close", "volume"]].isna().all()
    # Not asked for, and not for exchange assets.
    assert len(store.read_bars(SOURCE, as_of)) == 1
    assert len(store.read_bars(SOURCE, as_of, symbols=["SPY"], opened=True, always_open=["BTC-USD"])) == 0
    assert len(store.read_bars(SOURCE, as_of, last=DAY - timedelta(days=1), opened=True, always_open=["BTC-USD"])) == 1


def test_bar_opens_at_midnight_utc_exactly(store: MarketStore) -> None:
    store.upsert_bars(bars(bar("BTC-USD", DAY)), NOW)
    midnight = datetime(DAY.year, DAY.month, DAY.day, tzinfo=UTC)
    before = midnight - timedelta(microseconds=1)
    assert len(store.read_bars(SOURCE, before, opened=True, always_open=["BTC-USD"])) == 0
    assert len(store.read_bars(SOURCE, midnight, opened=True, always_open=["BTC-USD"])) == 1


def test_revised_bar_is_not_shown_as_forming_once_known(store: MarketStore) -> None:
    store.upsert_bars(bars(bar("BTC-USD", DAY)), NOW)
    store.upsert_bars(bars(bar("BTC-USD", DAY, open=99.5)), LATER)
    before_revision = store.read_bars(SOURCE, NOW, opened=True, always_open=["BTC-USD"]).frame
    assert before_revision["open"].tolist() == [100.0]
    assert before_revision["close"].tolist() == [101.1]
    as_of = known_at(DAY) - timedelta(hours=2)
    assert store.read_bars(SOURCE, as_of, opened=True, always_open=["BTC-USD"]).frame["open"].tolist() == [100.0]


def test_duplicates_in_one_delivery_are_refused_and_nothing_is_stored(store: MarketStore) -> None:
    with pytest.raises(InputError, match=r"files:test, SPY, 2024-03-04"):
        store.upsert_bars(bars(bar("GLD"), bar("SPY"), bar("SPY", close=5.0)), NOW)
    assert len(store.read_bars(SOURCE, NOW)) == 0


@pytest.mark.parametrize("use", ["upsert_bars", "read_bars", "upsert_macro", "read_macro", "save_validation"])
def test_naive_datetimes_are_refused(store: MarketStore, use: str) -> None:
    naive = datetime(2024, 6, 1)
    calls = {
        "upsert_bars": lambda: store.upsert_bars(bars(bar()), naive),
        "read_bars": lambda: store.read_bars(SOURCE, naive),
        "upsert_macro": lambda: store.upsert_macro(MacroSeries.empty(), naive),
        "read_macro": lambda: store.read_macro(SOURCE, naive),
        "save_validation": lambda: store.save_validation(SOURCE, [], Bars.empty(), naive),
    }
    with pytest.raises(NaiveDatetimeError):
        calls[use]()


def test_two_writers_of_the_same_bars_leave_one_row_each(store: MarketStore, engine: Engine) -> None:
    first, second = random_bars(["SPY", "GLD"], 300, seed=1), random_bars(["SPY", "GLD"], 300, seed=2)
    with ThreadPoolExecutor(4) as pool:
        totals = list(pool.map(lambda _: store.upsert_bars(first, NOW), range(4)))
    assert sum(counts.inserted for counts in totals) == len(first)
    with ThreadPoolExecutor(4) as pool:
        totals = list(pool.map(lambda i: store.upsert_bars(second, NOW + timedelta(seconds=i)), range(4)))
    assert sum(counts.revised for counts in totals) == len(second)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM bars")).scalar_one() == len(first) + len(second)


def test_hostile_names_are_only_names(store: MarketStore) -> None:
    name = "x'; DROP TABLE bars;-- %(source)s :source \\ \""
    store.upsert_bars(bars(bar(name, source=name, adjustment=name)), NOW)
    frame = store.read_bars(name, NOW, symbols=[name]).frame
    assert frame[["symbol", "source", "adjustment"]].iloc[0].tolist() == [name] * 3
    assert store.coverage(name) == {name: (DAY, DAY, 1)}


def test_coverage_counts_days_not_revisions(store: MarketStore) -> None:
    store.upsert_bars(bars(bar("SPY"), bar("SPY", DAY + timedelta(days=2)), bar("GLD")), NOW)
    store.upsert_bars(bars(bar("SPY", close=1.0)), LATER)
    assert store.coverage(SOURCE) == {"GLD": (DAY, DAY, 1), "SPY": (DAY, DAY + timedelta(days=2), 2)}
    assert store.coverage("nothing") == {}


def test_macro_vintages_are_kept(store: MarketStore) -> None:
    """A first release of 2.1 is revised to 2.3 a month later: before that month 2.1 was the truth."""
    released = datetime(2024, 4, 25, 12, 30, tzinfo=UTC)
    first = macro(
        ("GDP", DAY, 2.1, released), ("DFF", DAY, 5.33, known_at(DAY)), ("DFF", date(2024, 3, 5), np.nan, NOW)
    )
    assert store.upsert_macro(first, NOW) == UpsertCounts(3, 0, 0)
    assert store.upsert_macro(first, LATER) == UpsertCounts(0, 0, 3)
    assert store.upsert_macro(macro(("GDP", DAY, 2.3, released)), LATER) == UpsertCounts(0, 1, 0)

    pd.testing.assert_frame_equal(store.read_macro(SOURCE, NOW).frame, first.frame, check_exact=True)
    assert store.read_macro(SOURCE, LATER).frame["value"].tolist()[-1] == 2.3
    assert store.read_macro(SOURCE, released).frame["series"].tolist() == ["DFF", "GDP"]
    assert store.read_macro(SOURCE, released - timedelta(microseconds=1)).frame["series"].tolist() == ["DFF"]
    pd.testing.assert_frame_equal(store.read_macro("nothing", NOW).frame, MacroSeries.empty().frame)
