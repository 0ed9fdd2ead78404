"""Funding rates and reports come in beside the prices, as of their own instants, and never stand in their way."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from tests.builders.price_folder import write_price_folder
from tests.builders.prices import instant
from tests.builders.settings import make_settings
from tests.environment.database import table_contents
from trading_lib.adapters.stores.market.positioning_store import PositioningStore
from trading_lib.domain.errors import SourceUnavailableError
from trading_lib.domain.market.positioning import CotReports, FundingRates
from trading_lib.market_data.resilience.breaker import BreakerStatus
from trading_lib.market_data.source import FundingAnswer
from trading_lib.workflows.data import fetch as fetching
from trading_lib.workflows.data import tasks as market_data
from trading_lib.workflows.data.accept_positioning import fetch_funding, fetch_positioning, perpetuals
from trading_lib.workflows.data.sources import Care, get_source_status
from trading_lib.workflows.setup.settings import Settings
from trading_lib.workflows.stages.plans import SessionPlan

pytestmark = pytest.mark.postgres

FIRST, LAST = date(2022, 1, 3), date(2022, 3, 31)
NOW = instant("2022-04-02")


@pytest.fixture(name="settings")
def fixture_settings(database_url: str, tmp_path: Path) -> Settings:
    return make_settings(database_url, tmp_path)


def with_positioning(folder: Path) -> Path:
    write_price_folder(folder, FIRST, LAST)
    times = pd.date_range("2022-03-01", "2022-03-31 16:00", freq="8h")
    rates = pd.DataFrame({"exchange": "Binance", "symbol": "BTC-USDT", "funding_time_utc": times, "funding_rate": 1e-4})
    rates.to_csv(folder / "funding.csv", index=False)
    reports = pd.DataFrame({"market": "gold", "report_date": ["2022-03-15", "2022-03-29"], "spec_long": [10, 20]})
    reports.assign(spec_short=5).to_csv(folder / "cot.csv", index=False)
    return folder


def plan(settings: Settings, data: Path) -> SessionPlan:
    return market_data.plan(LAST.isoformat(), "files", str(data), "demo", settings)


def test_a_folder_that_has_them_brings_them(settings: Settings, tmp_path: Path) -> None:
    data = with_positioning(tmp_path / "prices")
    planned = plan(settings, data)
    assert planned.groups[-2:] == ("funding", "positioning")
    result = fetching.ingest_history(planned, settings, LAST)
    assert (result["funding"], result["positioning"], result["abstained"]) == (93, 2, {})
    store = PositioningStore(settings.engine())
    early = store.read_funding("files:prices", instant("2022-03-10 08:00"), ["BTC-USDT"]).frame
    assert early["settled_at"].max() == pd.Timestamp("2022-03-10 08:00", tz="UTC")
    # The report of Tuesday, March 29th came out on Friday.
    assert len(store.read_cot("files:prices", instant("2022-04-01 19:00")).frame) == 1
    assert len(store.read_cot("files:prices", instant("2022-04-01 20:00")).frame) == 2
    before = table_contents(settings.engine(), "funding", "cot", "bars")
    again = fetching.ingest_history(planned, settings, LAST)
    assert (again["funding"], again["positioning"]) == (0, 0)
    assert table_contents(settings.engine(), "funding", "cot", "bars") == before


def test_a_folder_without_them_and_the_simulated_market_have_no_such_groups(settings: Settings, tmp_path: Path) -> None:
    data = write_price_folder(tmp_path / "prices", FIRST, LAST)
    assert {"funding", "positioning"}.isdisjoint(plan(settings, data).groups)
    assert {"funding", "positioning"}.isdisjoint(market_data.plan("2022-03-31", settings=settings).groups)
    chain = market_data.plan("2022-03-31", "chain", None, "paper", settings)
    assert chain.groups[-2:] == ("funding", "positioning")


def test_a_broken_file_of_rates_costs_no_price(settings: Settings, tmp_path: Path) -> None:
    data = with_positioning(tmp_path / "prices")
    text = (data / "funding.csv").read_text()
    (data / "funding.csv").write_text(text.replace("0.0001", "much", 1))
    planned = plan(settings, data)
    for group in planned.groups:
        result = market_data.ingest(planned, group, settings)
        assert (group == "funding") is bool(result["abstained"])
    assert market_data.check_completeness(planned, settings)["bars"] == 14


class Venue:
    """A venue that answers or fails."""

    def __init__(self, name: str, error: SourceUnavailableError | None = None) -> None:
        self.name = name
        self.error = error
        self.asked = 0

    def funding(self, symbols: Sequence[str], first: date, last: date, as_of: datetime) -> FundingAnswer:
        self.asked += 1
        if self.error is not None:
            return FundingAnswer(
                FundingRates.empty(), dict.fromkeys(symbols, str(self.error)), {symbols[0]: self.error}
            )
        rows = {"venue": self.name, "symbol": symbols[0], "settled_at": pd.Timestamp(as_of), "rate": 1e-4}
        more = {"interval_hours": 8.0, "source": self.name, "available_at": pd.Timestamp(as_of)}
        return FundingAnswer(FundingRates.from_frame(pd.DataFrame([rows | more])))

    def cot(self, first: date, last: date, as_of: datetime) -> CotReports:
        self.asked += 1
        if self.error is not None:
            raise self.error
        return CotReports.empty()


def test_every_venue_is_asked_and_one_that_fails_abstains(settings: Settings) -> None:
    care = Care(settings, lambda seconds: None)
    down = Venue("binance", SourceUnavailableError("binance: HTTP 503"))
    venues = [care.of_funding("binance", down), care.of_funding("bybit", Venue("bybit"))]
    intake = fetch_funding(venues, ["BTC-USDT"], FIRST, LAST, settings.engine(), NOW)
    assert intake.delivered == {"BTC-USDT": "bybit"}
    assert list(intake.abstained) == ["binance BTC-USDT"]
    assert (intake.counts.inserted, down.asked) == (1, 3)
    for _ in range(2):
        fetch_funding(venues[:1], ["BTC-USDT"], FIRST, LAST, settings.engine(), NOW)
    assert get_source_status(settings)["binance"]["state"] == BreakerStatus.OPEN.value
    assert down.asked == 5


def test_reports_that_cannot_be_had_abstain(settings: Settings) -> None:
    care = Care(settings, lambda seconds: None)
    down = care.of_positioning("cftc", Venue("cftc", SourceUnavailableError("cftc: no answer within 30 s")))
    intake = fetch_positioning([down], FIRST, LAST, settings.engine(), NOW + timedelta(days=1))
    assert intake.delivered == {}
    assert "no answer within 30 s" in intake.abstained["cftc"]


def test_the_perpetuals_are_those_of_the_universe(settings: Settings) -> None:
    assert perpetuals(settings.configuration.universe) == ["BTC-USDT"]
