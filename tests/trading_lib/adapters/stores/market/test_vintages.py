"""Observations that come with their revisions: each is known from the day it came out, whenever it was stored."""

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from itertools import count

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from tests.builders.stored_bars import macro
from tests.environment.database import table_contents
from trading_lib.adapters.stores.market.market_store import MarketStore
from trading_lib.adapters.stores.postgres.revisions import UpsertCounts
from trading_lib.domain.errors import InputError

pytestmark = pytest.mark.postgres

SOURCE = "fred"
OBSERVED = date(2022, 1, 1)
NOW = datetime(2024, 6, 1, tzinfo=UTC)
fresh_source = count()


def out(day: int) -> datetime:
    return datetime(2022, 2, 1, tzinfo=UTC) + timedelta(days=day)


def vintages(*rows: tuple[int, float], series: str = "CPI", source: str = SOURCE) -> object:
    return macro(*((series, OBSERVED, value, out(day)) for day, value in rows), source=source)


def known(store: MarketStore, as_of: datetime, source: str = SOURCE) -> list[float]:
    return store.read_macro(source, as_of).frame["value"].tolist()


@pytest.fixture
def store(engine: Engine) -> MarketStore:
    return MarketStore(engine)


def test_revisions_that_arrive_together_keep_their_own_days(store: MarketStore) -> None:
    assert store.upsert_macro(vintages((0, 1.0), (5, 2.0), (9, 1.0)), NOW) == UpsertCounts(1, 2, 0)
    assert [known(store, out(day)) for day in (-1, 0, 4, 5, 8, 9, 99)] == [[], [1.0], [1.0], [2.0], [2.0], [1.0], [1.0]]


def test_the_same_again_writes_nothing(store: MarketStore, engine: Engine) -> None:
    store.upsert_macro(vintages((0, 1.0), (5, 2.0), (9, 1.0)), NOW)
    before = table_contents(engine, "macro")
    assert store.upsert_macro(vintages((0, 1.0), (5, 2.0), (9, 1.0)), NOW) == UpsertCounts(0, 0, 3)
    assert store.upsert_macro(vintages((0, 1.0)), NOW) == UpsertCounts(0, 0, 1)
    assert table_contents(engine, "macro") == before


def test_a_later_vintage_joins_the_first(store: MarketStore) -> None:
    assert store.upsert_macro(vintages((0, 1.0)), out(1)) == UpsertCounts(1, 0, 0)
    assert store.upsert_macro(vintages((0, 1.0), (5, 2.0)), NOW) == UpsertCounts(0, 1, 1)
    assert known(store, out(5)) == [2.0]


def test_a_vintage_that_was_not_known_of_before_takes_its_place(store: MarketStore) -> None:
    store.upsert_macro(vintages((5, 2.0), (9, 3.0)), NOW)
    store.upsert_macro(vintages((0, 1.0), (5, 2.0), (7, 2.5), (9, 3.0)), NOW)
    assert [known(store, out(day)) for day in (0, 5, 7, 9)] == [[1.0], [2.0], [2.5], [3.0]]


def test_a_rewritten_newest_vintage_counts_from_now_on(store: MarketStore) -> None:
    store.upsert_macro(vintages((0, 1.0), (5, 2.0)), NOW)
    assert store.upsert_macro(vintages((0, 1.0), (5, 2.25)), NOW) == UpsertCounts(0, 1, 1)
    assert known(store, NOW - timedelta(microseconds=1)) == [2.0]
    assert known(store, NOW) == [2.25]
    assert store.upsert_macro(vintages((0, 1.0), (5, 2.25)), NOW + timedelta(days=1)) == UpsertCounts(0, 0, 2)
    assert store.upsert_macro(vintages((0, 1.0), (5, 2.5)), NOW + timedelta(days=1)) == UpsertCounts(0, 1, 1)
    assert known(store, NOW + timedelta(days=1)) == [2.5]


def test_a_past_vintage_alone_does_not_undo_the_later_ones(store: MarketStore) -> None:
    store.upsert_macro(vintages((0, 1.0), (5, 2.0)), NOW)
    assert store.upsert_macro(vintages((0, 1.0)), NOW) == UpsertCounts(0, 0, 1)
    assert known(store, NOW) == [2.0]


def test_a_source_without_vintages_revises_from_now_on_and_back_again(store: MarketStore) -> None:
    values = [1.0, 2.0, 1.0, 3.0]
    for hour, value in enumerate(values):
        store.upsert_macro(vintages((0, value)), NOW + timedelta(hours=hour))
        assert known(store, NOW + timedelta(hours=hour)) == [value]
    assert known(store, NOW - timedelta(microseconds=1)) == [1.0]
    # The same among observations that have vintages.
    store.upsert_macro(vintages((0, 1.0), (5, 2.0), series="WITH"), NOW + timedelta(hours=4))
    for hour, value in enumerate([4.0, 3.0, 1.0], start=5):
        store.upsert_macro(vintages((0, value)), NOW + timedelta(hours=hour))
        assert known(store, NOW + timedelta(hours=hour)) == [value, 2.0]


def test_a_rewritten_older_vintage_changes_nothing(store: MarketStore, engine: Engine) -> None:
    store.upsert_macro(vintages((0, 1.0), (5, 2.0)), NOW)
    before = table_contents(engine, "macro")
    assert store.upsert_macro(vintages((0, 9.0), (5, 2.0)), NOW) == UpsertCounts(0, 0, 2)
    assert table_contents(engine, "macro") == before


def test_missing_values_equal_missing_values(store: MarketStore) -> None:
    store.upsert_macro(vintages((0, np.nan), (5, 2.0)), NOW)
    assert store.upsert_macro(vintages((0, np.nan), (5, 2.0)), NOW) == UpsertCounts(0, 0, 2)


def test_the_same_instant_twice_is_refused(store: MarketStore) -> None:
    with pytest.raises(InputError, match="fred, CPI, 2022-01-01, 2022-02-01"):
        store.upsert_macro(vintages((0, 1.0), (0, 2.0)), NOW)


histories = st.dictionaries(st.integers(0, 30), st.sampled_from([1.0, 2.0, 3.0]), min_size=2, max_size=6)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from("AB"), histories, min_size=1), st.lists(st.integers(0, 31), max_size=3))
def test_however_a_history_arrives_it_reads_as_it_was(
    shared_engine: Engine, series: dict[str, dict[int, float]], cuts: list[int]
) -> None:
    """Deliveries that end at any days, each repeating what came before, leave the whole history readable."""
    store, source = MarketStore(shared_engine), f"vintages-{next(fresh_source)}"
    for cut in [*cuts, 31]:
        rows = [
            (name, OBSERVED, value, out(day))
            for name, known in series.items()
            for day, value in known.items()
            if day < cut
        ]
        if rows:
            store.upsert_macro(macro(*rows, source=source), NOW)
    expected: dict[int, dict[str, float]] = defaultdict(dict)
    for name, known in series.items():
        for at in range(32):
            days = [day for day in known if day <= at]
            if days:
                expected[at][name] = known[max(days)]
    for at in (*range(0, 31, 3), 31):
        frame = store.read_macro(source, out(at)).frame
        assert dict(zip(frame["series"], frame["value"], strict=True)) == expected[at]
    # Nor was anything taken for a correction of the present.
    today = store.read_macro(source, NOW).frame
    assert dict(zip(today["series"], today["value"], strict=True)) == expected[31]
