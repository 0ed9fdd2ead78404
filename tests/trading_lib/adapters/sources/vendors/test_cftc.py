"""The CFTC source against a loopback server with yearly files, and the CFTC's own lines where they are."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pytest

from tests.builders.prices import instant
from tests.cases.fault_cases import FAULTS, TIMEOUT_SECONDS
from tests.contracts.positioning_contract import PositioningContract
from tests.peers.public_statistics import (
    DISAGGREGATED_HEADER,
    GOLD,
    LEGACY_HEADER,
    SILVER,
    WHEAT,
    cftc_answer,
    legacy_line,
    zipped,
)
from tests.peers.vendor_server import Reply, VendorPeer, vendor_peer
from trading_lib.adapters.sources.shared.cot_layout import MARKETS, cot_rows
from trading_lib.adapters.sources.vendors.cftc import CftcSource, yearly_files
from trading_lib.domain.errors import SourceError, UnreadableAnswerError
from trading_lib.domain.market.positioning import DISAGGREGATED_REPORT, LEGACY_REPORT

TUESDAYS = [date(2022, 1, 4) + timedelta(weeks=n) for n in range(4)]
FIRST, LAST = date(2022, 1, 1), date(2022, 1, 31)
LATER = instant("2022-12-31")
LEGACY_LINES = [
    *(legacy_line(GOLD, day, 100 + n, 50, 20, 5, 30, 60, 15, 15) for n, day in enumerate(TUESDAYS)),
    *(legacy_line(WHEAT, day, *range(8)) for day in TUESDAYS),
]
DISAGGREGATED_LINES = [legacy_line(SILVER, day, *range(10, 24)) for day in TUESDAYS]


def files() -> dict[str, bytes]:
    return {
        "deacot2022.zip": zipped(LEGACY_HEADER, LEGACY_LINES),
        "fut_disagg_txt_2022.zip": zipped(DISAGGREGATED_HEADER, DISAGGREGATED_LINES, "f_year.txt"),
    }


@pytest.fixture
def peer() -> Iterator[VendorPeer]:
    with vendor_peer(cftc_answer(files())) as server:
        yield server


@pytest.fixture
def source(peer: VendorPeer) -> CftcSource:
    return CftcSource(peer.address, read_seconds=TIMEOUT_SECONDS)


class TestContract(PositioningContract):
    first, last = FIRST, LAST
    as_of = LATER
    cut = instant("2022-01-14 20:30")

    @pytest.fixture
    def source(self, peer: VendorPeer) -> CftcSource:
        return CftcSource(peer.address)


def test_both_reports_are_read_market_by_market(source: CftcSource) -> None:
    frame = source.cot(FIRST, LAST, LATER).frame
    assert frame.groupby(["report", "market"]).size().to_dict() == {
        ("disaggregated", "silver"): 4,
        ("legacy", "gold"): 4,
    }
    gold = frame[frame["market"] == "gold"].iloc[0]
    assert (gold["open_interest"], gold["noncommercial_long"], gold["noncommercial_short"]) == (100, 50, 20)
    assert (gold["noncommercial_spreading"], gold["commercial_long"], gold["commercial_short"]) == (5, 30, 60)
    assert gold[["managed_money_long", "swap_short"]].isna().all()
    silver = frame[frame["market"] == "silver"].iloc[0]
    assert (silver["swap_short"], silver["swap_spreading"], silver["managed_money_long"]) == (14, 15, 16)
    assert (silver["other_spreading"], silver["nonreportable_long"], silver["nonreportable_short"]) == (21, 22, 23)


@pytest.mark.parametrize(("at", "known"), [("2022-01-07 20:29", 0), ("2022-01-07 20:30", 1), ("2022-01-14 20:30", 2)])
def test_a_report_is_known_on_friday_half_past_three_in_new_york(source: CftcSource, at: str, known: int) -> None:
    frame = source.cot(FIRST, LAST, instant(at)).frame
    assert (frame["market"] == "gold").sum() == known


@pytest.mark.parametrize(("fault", "kind", "words"), FAULTS)
def test_a_fault_is_one_typed_line(
    peer: VendorPeer, source: CftcSource, fault: int | str, kind: type[SourceError], words: str
) -> None:
    peer.faults["deacot2022"] = fault
    with pytest.raises(SourceError) as caught:
        source.cot(FIRST, LAST, LATER)
    assert type(caught.value) is kind
    assert words in str(caught.value)
    assert "deacot2022.zip" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_file_of_a_year_may_be_absent_in_its_first_days(peer: VendorPeer, source: CftcSource) -> None:
    frame = source.cot(date(2022, 1, 1), date(2023, 1, 10), instant("2023-01-10")).frame
    assert len(frame) == 8
    with pytest.raises(SourceError, match=r"deacot2023\.zip: HTTP 404"):
        source.cot(date(2022, 1, 1), date(2023, 3, 1), instant("2023-03-01"))


def test_only_the_years_that_can_be_known_are_asked_for(peer: VendorPeer, source: CftcSource) -> None:
    source.cot(FIRST, date(2030, 1, 1), instant("2022-06-01"))
    assert sorted(request.path.rsplit("/", 1)[1] for request in peer.requests) == sorted(files())


def test_the_years_before_2017_share_a_disaggregated_file() -> None:
    assert yearly_files(DISAGGREGATED_REPORT, 1990, 2018) == {
        "fut_disagg_txt_hist_2006_2016.zip": 2016,
        "fut_disagg_txt_2017.zip": 2017,
        "fut_disagg_txt_2018.zip": 2018,
    }
    assert yearly_files(LEGACY_REPORT, 2015, 2016) == {"deacot2015.zip": 2015, "deacot2016.zip": 2016}


def changed(header: str, lines: list[str]) -> Reply:
    return Reply(zipped(header, lines))


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (changed(LEGACY_HEADER.replace("Noncommercial Positions-Short", "Specs-Short"), LEGACY_LINES), "has no column"),
        (changed(LEGACY_HEADER.replace("Positions-Long", "Longs"), LEGACY_LINES), "has neither"),
        (changed(LEGACY_HEADER.replace("Form YYYY-MM-DD", "Rationale"), LEGACY_LINES), "has no column as_of_date"),
        (changed(LEGACY_HEADER, [LEGACY_LINES[0], LEGACY_LINES[0]]), "gold of 2022-01-04 twice"),
        (changed(LEGACY_HEADER, [LEGACY_LINES[0].replace("2022-01-04", "January 4")]), "as a report date"),
        (changed(LEGACY_HEADER, [LEGACY_LINES[0].replace("  50", "many")]), " many' in noncommercial"),
        (Reply(zipped(LEGACY_HEADER, LEGACY_LINES, "readme.pdf")), "no text file of the usual size"),
        (Reply(b"PK\x03\x04 not a zip"), "is no zip file"),
    ],
)
def test_a_changed_file_is_one_clear_line(peer: VendorPeer, source: CftcSource, reply: Reply, words: str) -> None:
    peer.faults["deacot2022"] = reply
    with pytest.raises(UnreadableAnswerError) as caught:
        source.cot(FIRST, LAST, LATER)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_zip_that_would_fill_the_memory_is_refused(
    peer: VendorPeer, source: CftcSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trading_lib.adapters.sources.vendors.cftc.MOST_BYTES", 100)
    with pytest.raises(UnreadableAnswerError, match="usual size"):
        source.cot(FIRST, LAST, LATER)


def test_older_headers_and_american_dates_are_understood() -> None:
    header = DISAGGREGATED_HEADER.replace("YYYY-MM-DD", "MM_DD_YYYY").replace('"', "").split(",")
    line = legacy_line(SILVER, TUESDAYS[0], *range(10, 24)).replace("2022-01-04", "1/4/2022 12:00:00 AM")
    rows = cot_rows(pd.DataFrame([[cell.strip('"') for cell in line.split(",")]], columns=header))
    assert rows["report_date"].dt.date.tolist() == [TUESDAYS[0]]


def test_the_cftcs_own_lines_are_read(shared_market_data: Path) -> None:
    lines = pd.read_csv(shared_market_data / "cot_cftc_legacy_raw_2024-2025.csv", dtype="str", keep_default_na=False)
    rows = cot_rows(lines)
    codes = lines["CFTC Contract Market Code"].str.strip()
    assert len(rows) == codes.isin(list(MARKETS)).sum() == 128
    # Longs and shorts of all traders add up to the open interest, spreading counted on both sides.
    for side in ("long", "short"):
        total = rows[f"noncommercial_{side}"] + rows["noncommercial_spreading"]
        total += rows[f"commercial_{side}"] + rows[f"nonreportable_{side}"]
        pd.testing.assert_series_equal(total, rows["open_interest"], check_names=False)
