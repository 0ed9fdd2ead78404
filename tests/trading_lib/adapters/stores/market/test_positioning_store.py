from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import Engine

from tests.environment.database import table_contents
from trading_lib.adapters.stores.market.positioning_store import PositioningStore
from trading_lib.adapters.stores.postgres.revisions import UpsertCounts
from trading_lib.domain.errors import InputError, NaiveDatetimeError
from trading_lib.domain.market.positioning import COT_POSITIONS, CotReports, FundingRates

pytestmark = pytest.mark.postgres

SOURCE = "files:test"
NOW = datetime(2024, 6, 1, 12, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
START = datetime(2024, 3, 1, tzinfo=UTC)


@pytest.fixture
def store(engine: Engine) -> PositioningStore:
    return PositioningStore(engine)


def rates(count: int = 30, source: str = SOURCE, **columns: object) -> FundingRates:
    generator = np.random.default_rng(3)
    pieces = []
    # Lower case and non-ASCII: the server's collation would sort them differently.
    for venue, symbol in (("binance", "BTC-USDT"), ("Übit", "BTC-USDT"), ("binance", "eth-usdt")):
        settled = [START + timedelta(hours=8 * n, milliseconds=n % 3) for n in range(count)]
        piece = pd.DataFrame({"settled_at": settled, "rate": generator.normal(0, 1e-4, count)})
        pieces.append(piece.assign(venue=venue, symbol=symbol, interval_hours=[np.nan] + [8.0] * (count - 1)))
    frame = pd.concat(pieces).assign(source=source)
    return FundingRates.from_frame(frame.assign(available_at=frame["settled_at"]).assign(**columns))


def reports(source: str = SOURCE, **columns: object) -> CotReports:
    generator = np.random.default_rng(4)
    days = pd.date_range("2024-01-02", periods=8, freq="7D")
    pieces = []
    for report, market in (("legacy", "gold"), ("legacy", "vix"), ("disaggregated", "gold")):
        positions = {name: generator.integers(0, 9999, len(days)).astype(float) for name in COT_POSITIONS}
        if report == "legacy":
            positions["managed_money_long"] = np.full(len(days), np.nan)
        pieces.append(pd.DataFrame({"report_date": days, **positions}).assign(report=report, market=market))
    frame = pd.concat(pieces).assign(source=source)
    known = frame["report_date"].dt.tz_localize("UTC") + pd.Timedelta(days=3, hours=20)
    return CotReports.from_frame(frame.assign(available_at=known).assign(**columns))


def test_rates_come_back_exactly_as_they_went_in(store: PositioningStore) -> None:
    stored = rates()
    assert store.upsert_funding(stored, NOW) == UpsertCounts(len(stored), 0, 0)
    pd.testing.assert_frame_equal(store.read_funding(SOURCE, NOW).frame, stored.frame, check_exact=True)


def test_reports_come_back_exactly_as_they_went_in(store: PositioningStore) -> None:
    stored = reports()
    assert store.upsert_cot(stored, NOW) == UpsertCounts(len(stored), 0, 0)
    pd.testing.assert_frame_equal(store.read_cot(SOURCE, NOW).frame, stored.frame, check_exact=True)


def test_the_same_again_writes_nothing(store: PositioningStore, engine: Engine) -> None:
    store.upsert_funding(rates(), NOW)
    store.upsert_cot(reports(), NOW)
    before = table_contents(engine, "funding", "cot")
    assert store.upsert_funding(rates(), LATER) == UpsertCounts(0, 0, len(rates()))
    assert store.upsert_cot(reports(), LATER) == UpsertCounts(0, 0, len(reports()))
    assert table_contents(engine, "funding", "cot") == before


@pytest.mark.parametrize("changed", ["rate", "interval_hours"])
def test_a_changed_rate_is_a_revision_known_only_from_now_on(store: PositioningStore, changed: str) -> None:
    first, second = rates(), rates(**{changed: 0.5})
    store.upsert_funding(first, NOW)
    assert store.upsert_funding(second, LATER) == UpsertCounts(0, len(first), 0)
    before = store.read_funding(SOURCE, LATER - timedelta(microseconds=1)).frame
    pd.testing.assert_frame_equal(before, first.frame, check_exact=True)
    after = store.read_funding(SOURCE, LATER).frame
    assert set(after[changed]) == {0.5}
    assert set(after["available_at"]) == {LATER}
    assert len(after) == len(first)


@pytest.mark.parametrize("changed", COT_POSITIONS)
def test_any_changed_position_is_a_revision(store: PositioningStore, changed: str) -> None:
    first, second = reports(), reports(**{changed: -1.0})
    store.upsert_cot(first, NOW)
    assert store.upsert_cot(second, LATER) == UpsertCounts(0, len(first), 0)
    pd.testing.assert_frame_equal(store.read_cot(SOURCE, NOW).frame, first.frame, check_exact=True)
    assert set(store.read_cot(SOURCE, LATER).frame[changed]) == {-1.0}


def test_nothing_is_visible_before_it_is_known(store: PositioningStore) -> None:
    store.upsert_funding(rates(), NOW)
    store.upsert_cot(reports(), NOW)
    moment = START + timedelta(days=2)
    seen = store.read_funding(SOURCE, moment).frame
    assert len(seen) == (rates().frame["settled_at"] <= moment).sum() > 0
    friday = datetime(2024, 1, 5, 20, tzinfo=UTC)
    assert len(store.read_cot(SOURCE, friday - timedelta(microseconds=1))) == 0
    assert len(store.read_cot(SOURCE, friday)) == 3


def test_selection_by_symbol_days_and_source(store: PositioningStore) -> None:
    store.upsert_funding(rates(), NOW)
    store.upsert_funding(rates(source="another"), NOW)
    store.upsert_cot(reports(), NOW)
    first, last = date(2024, 3, 2), date(2024, 3, 4)
    chosen = store.read_funding(SOURCE, NOW, symbols=["BTC-USDT", "ZZZ"], first=first, last=last).frame
    frame = rates().frame
    days = frame["settled_at"].dt.date
    expected = frame[(frame["symbol"] == "BTC-USDT") & (days >= first) & (days <= last)].reset_index(drop=True)
    assert len(expected) == 18
    pd.testing.assert_frame_equal(chosen, expected, check_exact=True)
    some = store.read_cot(SOURCE, NOW, first=date(2024, 1, 9), last=date(2024, 1, 16)).frame
    assert some["report_date"].dt.day.unique().tolist() == [9, 16]


def test_nothing_found_is_an_empty_answer_of_the_right_types(store: PositioningStore) -> None:
    store.upsert_funding(rates(), NOW)
    pd.testing.assert_frame_equal(store.read_funding("nothing", NOW).frame, FundingRates.empty().frame)
    pd.testing.assert_frame_equal(store.read_funding(SOURCE, NOW, symbols=[]).frame, FundingRates.empty().frame)
    pd.testing.assert_frame_equal(store.read_cot(SOURCE, NOW).frame, CotReports.empty().frame)
    assert store.upsert_funding(FundingRates.empty(), NOW) == UpsertCounts(0, 0, 0)
    assert store.upsert_cot(CotReports.empty(), NOW) == UpsertCounts(0, 0, 0)


def test_duplicates_in_one_delivery_are_refused_and_nothing_is_stored(store: PositioningStore) -> None:
    twice = FundingRates(pd.concat([rates().frame, rates().frame.head(1)], ignore_index=True))
    with pytest.raises(InputError, match="binance, BTC-USDT, 2024-03-01"):
        store.upsert_funding(twice, NOW)
    assert len(store.read_funding(SOURCE, NOW)) == 0


@pytest.mark.parametrize("use", ["upsert_funding", "read_funding", "upsert_cot", "read_cot"])
def test_naive_datetimes_are_refused(store: PositioningStore, use: str) -> None:
    naive = datetime(2024, 6, 1)
    arguments = {
        "upsert_funding": (rates(), naive),
        "read_funding": (SOURCE, naive),
        "upsert_cot": (reports(), naive),
        "read_cot": (SOURCE, naive),
    }
    with pytest.raises(NaiveDatetimeError):
        getattr(store, use)(*arguments[use])
