"""The FRED source, through the real fredapi client against a loopback server."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest

from tests.builders.prices import instant
from tests.cases.fault_cases import FAULTS, TIMEOUT_SECONDS, require_typed
from tests.peers.public_statistics import fred_answer
from tests.peers.vendor_server import Reply, VendorPeer, vendor_peer
from trading_lib.adapters.sources.vendors.fred import FredSource
from trading_lib.domain.errors import (
    MissingKeyError,
    NaiveDatetimeError,
    SourceError,
    SourceRefusedError,
    UnreadableAnswerError,
)
from trading_lib.domain.market.prices import MACRO_COLUMNS

FIRST, LAST = date(2022, 1, 1), date(2022, 2, 28)
LATER = instant("2026-01-01")
ARCHIVE = {
    "CPIAUCSL": {
        date(2021, 12, 1): [(date(2022, 1, 12), "100.0")],
        date(2022, 1, 1): [
            (date(2022, 2, 10), "101.0"),
            (date(2022, 3, 10), "101.5"),
            (date(2023, 2, 14), "101.4"),
        ],
        date(2022, 2, 1): [(date(2022, 3, 10), "102.0")],
    },
    "DFF": {
        date(2022, 1, 3) + timedelta(days=n): [(date(2022, 1, 4) + timedelta(days=n), "." if n == 2 else f"{n}.5")]
        for n in range(10)
    },
    # FRED began to keep vintages of it in 2005.
    "UNRATE": {
        date(2000, 1, 1): [(date(2005, 6, 1), "4.0")],
        date(2000, 2, 1): [(date(2005, 6, 1), "4.1"), (date(2006, 1, 6), "4.2")],
        date(2005, 4, 1): [(date(2005, 6, 1), "5.1")],
        date(2005, 5, 1): [(date(2005, 6, 3), "5.0")],
    },
}
CURRENT = {"XYZ": {date(2022, 1, 3): "7.0", date(2022, 1, 4): "."}}


@pytest.fixture
def peer() -> Iterator[VendorPeer]:
    with vendor_peer(fred_answer(ARCHIVE, CURRENT)) as server:
        yield server


def source(peer: VendorPeer, *series: str, key: str = "secret-token") -> FredSource:
    return FredSource(key, series, peer.address, read_seconds=TIMEOUT_SECONDS)


def rows(frame: pd.DataFrame) -> list[tuple[str, float, str]]:
    return [(f"{row.date:%Y-%m-%d}", row.value, f"{row.available_at:%Y-%m-%d}") for row in frame.itertuples()]


def test_each_revision_is_known_at_the_end_of_the_day_it_came_out(peer: VendorPeer) -> None:
    frame = source(peer, "CPIAUCSL").macro(FIRST, LAST, LATER).frame
    assert rows(frame) == [
        ("2022-01-01", 101.0, "2022-02-11"),
        ("2022-01-01", 101.5, "2022-03-11"),
        ("2022-01-01", 101.4, "2023-02-15"),
        ("2022-02-01", 102.0, "2022-03-11"),
    ]
    assert {name: str(kind) for name, kind in frame.dtypes.items()} == MACRO_COLUMNS
    assert set(frame["source"]) == {"fred"}


@pytest.mark.parametrize("at", ["2022-02-10 23:59", "2022-02-11 00:00", "2022-03-11 00:00", "2023-02-14 23:59"])
def test_nothing_is_delivered_before_it_came_out(peer: VendorPeer, at: str) -> None:
    everything = source(peer, "CPIAUCSL", "DFF", "XYZ").macro(FIRST, LAST, LATER).frame
    early = source(peer, "CPIAUCSL", "DFF", "XYZ").macro(FIRST, LAST, instant(at)).frame
    expected = everything[everything["available_at"] <= pd.Timestamp(instant(at))].reset_index(drop=True)
    assert 0 < len(expected) < len(everything)
    pd.testing.assert_frame_equal(early, expected)


def test_an_observation_without_a_value_is_left_out(peer: VendorPeer) -> None:
    frame = source(peer, "DFF").macro(FIRST, LAST, LATER).frame
    assert frame["value"].tolist() == [0.5, 1.5, *(n + 0.5 for n in range(3, 10))]


def test_the_range_of_observations_is_respected_at_both_ends(peer: VendorPeer) -> None:
    frame = source(peer, "DFF").macro(date(2022, 1, 4), date(2022, 1, 6), LATER).frame
    assert frame["date"].dt.date.tolist() == [date(2022, 1, 4), date(2022, 1, 6)]


def test_what_is_older_than_the_archive_gets_the_usual_lag(peer: VendorPeer) -> None:
    frame = source(peer, "UNRATE").macro(date(2000, 1, 1), date(2006, 2, 28), LATER).frame
    assert rows(frame) == [
        # The first vintage of the archive, at the usual 41 days after the first of the month and at the day's end.
        ("2000-01-01", 4.0, "2000-02-12"),
        ("2000-02-01", 4.1, "2000-03-14"),
        ("2000-02-01", 4.2, "2006-01-07"),
        ("2005-04-01", 5.1, "2005-05-13"),
        ("2005-05-01", 5.0, "2005-06-04"),
    ]


def test_a_release_that_came_late_is_not_moved_to_its_usual_day(peer: VendorPeer) -> None:
    late = {"UNRATE": {date(2025, 8, 1): [(date(2025, 9, 5), "4.3")], date(2025, 9, 1): [(date(2025, 11, 20), "4.4")]}}
    peer.answer = fred_answer(late, {})
    frame = source(peer, "UNRATE").macro(date(2025, 9, 1), date(2025, 9, 30), LATER).frame
    assert rows(frame) == [("2025-09-01", 4.4, "2025-11-21")]


def test_a_series_without_an_archive_gets_the_usual_lag(peer: VendorPeer) -> None:
    assert rows(source(peer, "XYZ").macro(FIRST, LAST, LATER).frame) == [("2022-01-03", 7.0, "2022-02-08")]


def test_long_histories_are_asked_for_in_pieces_that_fred_allows(peer: VendorPeer) -> None:
    frame = source(peer, "CPIAUCSL").macro(date(2012, 1, 1), LAST, LATER).frame
    starts = [request.query["realtime_start"] for request in peer.requests]
    ends = [request.query["realtime_end"] for request in peer.requests]
    assert len(starts) == 3
    assert all(
        (date.fromisoformat(b) - date.fromisoformat(a)).days <= 1999 for a, b in zip(starts, ends[:-1], strict=False)
    )
    assert ends[-1] == "9999-12-31"
    # A value that was current when one period ended and the next began is one value.
    assert rows(frame)[1:] == [
        ("2022-01-01", 101.0, "2022-02-11"),
        ("2022-01-01", 101.5, "2022-03-11"),
        ("2022-01-01", 101.4, "2023-02-15"),
        ("2022-02-01", 102.0, "2022-03-11"),
    ]


def test_long_answers_are_read_page_by_page(peer: VendorPeer) -> None:
    whole = source(peer, "DFF").macro(FIRST, LAST, LATER).frame
    peer.answer = fred_answer(ARCHIVE, CURRENT, page=3)
    peer.requests.clear()
    pd.testing.assert_frame_equal(source(peer, "DFF").macro(FIRST, LAST, LATER).frame, whole)
    assert [request.query["offset"] for request in peer.requests] == ["0", "3", "6", "9"]


@pytest.mark.parametrize(("fault", "kind", "words"), FAULTS)
def test_a_fault_costs_its_series_only(peer: VendorPeer, fault: int | str, kind: type[SourceError], words: str) -> None:
    peer.faults["DFF"] = fault
    answer = source(peer, "DFF", "CPIAUCSL").observations(FIRST, LAST, LATER)
    assert set(answer.macro.frame["series"]) == {"CPIAUCSL"}
    require_typed("DFF", answer.failures, answer.errors, kind, words)


def test_a_failed_series_is_logged_and_all_failed_are_an_error(
    peer: VendorPeer, caplog: pytest.LogCaptureFixture
) -> None:
    peer.faults["DFF"] = 500
    assert len(source(peer, "DFF", "CPIAUCSL").macro(FIRST, LAST, LATER).frame) == 4
    assert "fred: DFF: HTTP 500" in caplog.text
    with pytest.raises(SourceError, match="fred: DFF: HTTP 500"):
        source(peer, "DFF").macro(FIRST, LAST, LATER)


def test_an_unknown_series_is_no_fault_of_the_source(peer: VendorPeer) -> None:
    answer = source(peer, "NOPE").observations(FIRST, LAST, LATER)
    require_typed("NOPE", answer.failures, answer.errors, SourceError, "The series does not exist")


def test_a_refused_key_names_its_variable_and_is_never_shown(
    peer: VendorPeer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    error = source(peer, "DFF", key="an-old-key").observations(FIRST, LAST, LATER).errors["DFF"]
    assert isinstance(error, SourceRefusedError)
    assert "TRADING_FRED_API_KEY" in str(error)
    # It is in the address, which the connection pool logs.
    assert peer.requests[0].query["api_key"] == "an-old-key"
    assert "api_key=***" in caplog.text
    assert "an-old-key" not in caplog.text + str(error)


def test_a_broken_connection_shows_no_key(peer: VendorPeer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with vendor_peer(peer.answer) as gone:
        address = gone.address
    error = FredSource("an-old-key", ("DFF",), address).observations(FIRST, LAST, LATER).errors["DFF"]
    causes = [error.__cause__, error.__context__ if not error.__suppress_context__ else None]
    assert causes == [None, None]
    assert "an-old-key" not in caplog.text + str(error)


def test_without_a_key_there_is_no_source() -> None:
    with pytest.raises(MissingKeyError, match=r"fred needs a key: set TRADING_FRED_API_KEY"):
        FredSource(None)


def test_an_as_of_without_a_time_zone_is_refused(peer: VendorPeer) -> None:
    with pytest.raises(NaiveDatetimeError, match="as_of"):
        source(peer, "DFF").macro(FIRST, LAST, LATER.replace(tzinfo=None))
    with pytest.raises(NaiveDatetimeError, match="as_of"):
        source(peer, "DFF").bars(["SPY"], FIRST, LAST, LATER.replace(tzinfo=None))


def test_it_has_no_bars(peer: VendorPeer) -> None:
    answer = source(peer, "DFF").bars(["SPY", "^VIX"], FIRST, LAST, LATER)
    assert list(answer.failures) == ["SPY", "^VIX"]
    assert len(answer.bars) == 0
    assert peer.requests == []


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"count": 0}, "has no field 'observations', only count"),
        ({"count": 1, "observations": [{"date": "2022-01-03", "value": "1"}]}, "has no field 'realtime_start'"),
        (
            {"count": 1, "observations": [{"realtime_start": "2022-01-04", "date": "2022-01-03", "value": "high"}]},
            "cannot be taken apart",
        ),
        (
            {"count": 1, "observations": [{"realtime_start": "2022-01-04", "date": "03.01.2022", "value": "1"}]},
            "cannot be taken apart",
        ),
        ([1], "is no JSON object"),
    ],
)
def test_a_changed_format_is_one_clear_line(peer: VendorPeer, content: object, words: str) -> None:
    peer.faults["DFF"] = Reply(content)
    answer = source(peer, "DFF", "CPIAUCSL").observations(FIRST, LAST, LATER)
    require_typed("DFF", answer.failures, answer.errors, UnreadableAnswerError, words)


def test_recorded_observations_are_read(shared_api_samples: Path, peer: VendorPeer) -> None:
    body = (shared_api_samples / "fred" / "observations_fedfunds.json").read_bytes()
    recorded = json.loads(body)["observations"]
    vintages = Reply({"count": 1, "vintage_dates": [recorded[0]["realtime_start"]]})
    peer.answer = lambda request: vintages if request.path.endswith("vintagedates") else Reply(body)
    days = [date.fromisoformat(row["date"]) for row in recorded]
    answer = source(peer, "FEDFUNDS").observations(min(days), max(days), LATER)
    # One body answers every request here; asking in pieces must not multiply its rows.
    stated = [float(row["value"]) for row in recorded if row["value"] != "."]
    assert len(stated) < len(recorded)
    assert answer.failures == {}
    assert answer.macro.frame["value"].tolist() == stated
