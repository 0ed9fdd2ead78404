"""Backfilling sessions one by one ends with the same data as loading them at once, and asks for little."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.builders.price_folder import write_price_folder
from tests.builders.settings import make_settings
from tests.environment.database import MakeDatabase
from trading_lib.domain.market.prices import PricePanel
from trading_lib.market_data.availability.expected_bars import settled_by
from trading_lib.workflows.data import fetch as fetching
from trading_lib.workflows.data import tasks as market_data
from trading_lib.workflows.data.market import market_from_store
from trading_lib.workflows.data.sources import market_store
from trading_lib.workflows.setup.settings import Settings
from trading_lib.workflows.stages.plans import SessionPlan

# Long runs of code whose coverage other tests measure: tracing them would only take time.
pytestmark = [pytest.mark.postgres, pytest.mark.no_cover]

FIRST, LAST = date(2020, 1, 2), date(2021, 1, 5)
SESSIONS = 250


@pytest.fixture(scope="module")
def prices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_price_folder(tmp_path_factory.mktemp("data") / "prices", FIRST, LAST)


def plan_of(settings: Settings, prices: Path, session: date) -> SessionPlan:
    return market_data.plan(session.isoformat(), "files", str(prices), "demo-backfill", settings)


def run_as_the_dag_does(settings: Settings, prices: Path, session: date) -> list[str]:
    """Run the tasks before the factors; returns the groups that were fetched."""
    plan = plan_of(settings, prices, session)
    groups = market_data.groups_to_ingest(plan, settings=settings)
    for group in groups:
        market_data.ingest(plan, group, settings)
    market_data.check_completeness(plan, settings)
    return groups


def panel(settings: Settings, session: date) -> PricePanel:
    store, universe = market_store(settings), settings.configuration.universe
    return market_from_store(store, "files:prices", universe, settings.calendar, session).panel


def assert_same_panel(one: PricePanel, two: PricePanel) -> None:
    for name in ("sessions", "close", "fresh", "fill_open", "dividend", "split", "volume", "mark_return"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name), err_msg=name)
    np.testing.assert_array_equal(one.volatility_index, two.volatility_index)
    np.testing.assert_array_equal(one.cash_rate, two.cash_rate)


def stored_bars(settings: Settings, as_of: datetime) -> pd.DataFrame:
    return market_store(settings).read_bars("files:prices", as_of).frame


def test_a_backfill_of_250_sessions_equals_a_direct_load(
    make_database: MakeDatabase, prices: Path, tmp_path: Path
) -> None:
    backfilled = make_settings(make_database(), tmp_path)
    loaded = make_settings(make_database(), tmp_path)
    calendar = backfilled.calendar
    first = calendar.next(calendar.next(FIRST))
    sessions = [calendar.offset(first, number) for number in range(SESSIONS)]
    fetched = [run_as_the_dag_does(backfilled, prices, session) for session in sessions]
    fetching.ingest_history(plan_of(loaded, prices, sessions[-1]), loaded, sessions[-1])

    # A year's sessions need a fetch a quarter; the others find everything there.
    assert [groups for groups in fetched if groups] == [fetched[0]] * 4
    assert set(fetched[0]) == {"etf", "crypto", "volatility_index", "macro"}
    for session in (sessions[0], sessions[63], sessions[64], sessions[150], sessions[-1]):
        as_of = calendar.decision_time(session)
        pd.testing.assert_frame_equal(stored_bars(backfilled, as_of), stored_bars(loaded, as_of))
        assert_same_panel(panel(backfilled, session), panel(loaded, session))


def test_after_a_direct_load_a_backfill_fetches_nothing(database_url: str, prices: Path, tmp_path: Path) -> None:
    settings = make_settings(database_url, tmp_path)
    fetching.ingest_history(plan_of(settings, prices, date(2020, 6, 1)), settings, date(2020, 6, 1))
    plan = plan_of(settings, prices, date(2020, 5, 20))
    assert market_data.groups_to_ingest(plan, settings=settings) == []
    assert market_data.groups_to_ingest(plan, refresh=True, settings=settings) == list(plan.groups)
    beyond = plan_of(settings, prices, date(2020, 6, 2))
    assert market_data.groups_to_ingest(beyond, settings=settings) == list(plan.groups)


def test_a_session_fetched_before_its_day_was_over_is_fetched_again(
    database_url: str, prices: Path, tmp_path: Path
) -> None:
    """The day's coin bar and a late ^VIX were still to come then."""
    settings = make_settings(database_url, tmp_path)
    session = date(2020, 5, 20)
    fetching.ingest_history(plan_of(settings, prices, date(2020, 5, 15)), settings, date(2020, 5, 15))
    for moment, covered in ((settings.calendar.data_time(session), False), (settled_by(session), True)):
        then = replace(settings, clock=lambda moment=moment: moment)
        fetching.ingest_range(plan_of(then, prices, session), ["crypto"], session, session, then)
        groups = market_data.groups_to_ingest(plan_of(settings, prices, session), settings=settings)
        assert ("crypto" not in groups) is covered


def test_the_newest_session_fetches_no_further_than_itself(database_url: str, prices: Path, tmp_path: Path) -> None:
    settings = make_settings(database_url, tmp_path)
    session = date(2020, 5, 20)
    live = replace(settings, clock=lambda: settings.calendar.decision_time(session))
    market_data.ingest(plan_of(live, prices, session), "etf", live)
    assert stored_bars(settings, settings.clock())["date"].max() == pd.Timestamp(session)


def test_a_symbol_is_expected_only_once_it_existed(database_url: str, prices: Path, tmp_path: Path) -> None:
    base = make_settings(database_url, tmp_path)
    configuration = base.configuration
    young = {"SLV": date(2020, 6, 1)}
    instruments = tuple(replace(i, inception=young.get(i.symbol, i.inception)) for i in configuration.universe)
    universe = type(configuration.universe)(instruments)
    settings = replace(base, configuration=replace(configuration, universe=universe))
    fetching.ingest_history(plan_of(settings, prices, date(2020, 6, 30)), settings, date(2020, 6, 30))
    with settings.engine().begin() as connection:
        connection.exec_driver_sql("DELETE FROM bars WHERE symbol = 'SLV' AND session IN ('2020-05-20', '2020-06-10')")
    assert market_data.check_completeness(plan_of(settings, prices, date(2020, 5, 20)), settings)["missing"] == []
    assert market_data.check_completeness(plan_of(settings, prices, date(2020, 6, 10)), settings)["missing"] == ["SLV"]
