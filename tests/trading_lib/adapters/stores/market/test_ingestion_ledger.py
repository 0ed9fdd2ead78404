"""The ledger of fetches."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from sqlalchemy import Engine

from tests.builders.prices import instant
from tests.environment.database import table_contents
from trading_lib.adapters.stores.market.ingestion_ledger import Ingestion, IngestionLedger

pytestmark = pytest.mark.postgres

NOW = instant("2024-03-20")
FETCH = Ingestion("chain", "etf", date(2024, 3, 1), date(2024, 3, 8), ("SPY", "GLD"), True, {"SPY": "tiingo"}, {})


@pytest.fixture
def ledger(engine: Engine) -> IngestionLedger:
    return IngestionLedger(engine)


@pytest.mark.parametrize(
    ("changes", "covered"),
    [
        ({}, True),
        ({"day": date(2024, 3, 1)}, True),
        ({"day": date(2024, 2, 29)}, False),
        ({"day": date(2024, 3, 9)}, False),
        ({"symbols": ["GLD"]}, True),
        ({"symbols": ["GLD", "TLT"]}, False),
        ({"symbols": []}, True),
        ({"source": "files:x"}, False),
        ({"scope": "crypto"}, False),
        ({"settled": NOW + timedelta(seconds=1)}, False),
    ],
)
def test_what_a_fetch_covers(ledger: IngestionLedger, changes: dict[str, object], covered: bool) -> None:
    ledger.record(FETCH, NOW)
    asked = {"source": "chain", "scope": "etf", "symbols": ["SPY", "GLD"], "day": date(2024, 3, 8), "settled": NOW}
    assert ledger.covers(**(asked | changes)) is covered  # type: ignore[arg-type]


def test_an_incomplete_fetch_covers_nothing(ledger: IngestionLedger) -> None:
    ledger.record(replace(FETCH, complete=False), NOW)
    assert not ledger.covers("chain", "etf", ["SPY"], date(2024, 3, 8), NOW)
    ledger.record(FETCH, NOW)
    assert ledger.covers("chain", "etf", ["SPY"], date(2024, 3, 8), NOW)


@pytest.mark.parametrize(
    ("spans", "reached"),
    [
        ([], False),
        ([("2024-01-01", "2024-03-31")], True),
        ([("2024-01-02", "2024-03-31")], False),
        ([("2024-01-01", "2024-03-30")], False),
        ([("2024-02-10", "2024-03-31"), ("2023-12-01", "2024-02-09")], True),
        ([("2024-02-11", "2024-03-31"), ("2023-12-01", "2024-02-09")], False),
        ([("2023-12-01", "2024-03-01"), ("2024-01-15", "2024-02-01"), ("2024-02-20", "2024-04-01")], True),
    ],
)
def test_fetches_reach_as_far_as_they_join(
    ledger: IngestionLedger, spans: list[tuple[str, str]], reached: bool
) -> None:
    for first, last in spans:
        ledger.record(replace(FETCH, first=date.fromisoformat(first), last=date.fromisoformat(last)), NOW)
    asked = ("etf", ["GLD", "SPY"], date(2024, 1, 1), date(2024, 3, 31))
    assert ledger.reaches("chain", *asked) is reached
    assert not ledger.reaches("chain", "etf", ["GLD", "SPY", "TLT"], *asked[2:])
    assert not ledger.reaches("files:x", *asked)


def test_a_fetch_that_brought_nothing_and_may_be_asked_again_reaches_nowhere(ledger: IngestionLedger) -> None:
    asked = ("chain", "etf", ["SPY"], FETCH.first, FETCH.last)
    ledger.record(replace(FETCH, complete=False, delivered={}), NOW)
    assert not ledger.reaches(*asked)
    ledger.record(replace(FETCH, complete=False), NOW)
    assert ledger.reaches(*asked)
    ledger.record(replace(FETCH, delivered={}), NOW)
    assert ledger.reaches(*asked)


def test_the_same_fetch_changes_no_row(ledger: IngestionLedger, engine: Engine) -> None:
    ledger.record(FETCH, NOW)
    before = table_contents(engine, "ingestions")
    ledger.record(FETCH, NOW)
    assert table_contents(engine, "ingestions") == before


def test_the_latest_fetches_come_first(ledger: IngestionLedger) -> None:
    ledger.record(FETCH, NOW)
    second = replace(FETCH, first=date(2024, 3, 2), failures={"GLD": "tiingo: HTTP 500"})
    ledger.record(second, NOW + timedelta(hours=1))
    latest = ledger.latest("chain")
    assert [at for at, _ in latest] == [NOW + timedelta(hours=1), NOW]
    assert latest[0][1] == replace(second, symbols=("GLD", "SPY"))
    assert len(ledger.latest("chain", limit=1)) == 1
