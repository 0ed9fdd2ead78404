"""Folders as validation reads them: lenient about cells, strict about what leaves nothing to judge."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from tests.builders.histories import price_frame
from tests.builders.price_folder import write_price_folder
from tests.builders.prices import instant, universe
from trading_lib.adapters.quality.folder import read_folder
from trading_lib.domain.errors import DataFileError
from trading_lib.domain.market.missing_data import MissingData
from trading_lib.domain.market.sessions import exchange_sessions
from trading_lib.validation.completeness import MISSING_RULES
from trading_lib.validation.quality_report import DataQualityReport, rule_counts
from trading_lib.validation.report import Finding, Severity
from trading_lib.workflows.data.folder_quality import validate_folder

LATER = instant("2023-06-30")
HEADER = "symbol,date,open,high,low,close,volume\n"
LINES = "".join(f"SPY,2022-06-{day:02d},10,11,9,10,100\n" for day in (1, 2, 3))


def judge(folder: Path) -> DataQualityReport:
    return validate_folder(folder, universe(), LATER)


def found(folder: Path) -> list[Finding]:
    """What is found about the content; folders of one symbol lack the others."""
    return [finding for finding in judge(folder).findings if finding.rule not in MISSING_RULES]


def rules(folder: Path) -> dict[str, int]:
    return dict(rule_counts(found(folder)))


def test_a_sound_folder_has_no_finding(tmp_path: Path) -> None:
    folder = write_price_folder(tmp_path / "prices", date(2021, 1, 4), date(2022, 6, 30))
    (folder / "rates.csv").write_text("series,date,value\nDFF,2021-01-04,0.1\n")
    report = judge(folder)
    assert report.findings == ()
    assert report.missing == MissingData()
    assert {quality.symbol for quality in report.symbols} == {*universe().symbols, "^VIX"}


def test_a_repeated_bar_is_a_finding(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text(HEADER + LINES + "SPY,2022-06-03,10,11,9,10.5,100\n")
    assert rules(tmp_path) == {"duplicate_bar": 1}
    (finding,) = found(tmp_path)
    assert (finding.symbol, finding.session, finding.dataset) == ("SPY", date(2022, 6, 3), "p")


def test_the_same_bar_in_two_files_is_a_finding_that_names_both(tmp_path: Path) -> None:
    for name in ("one.csv", "two.csv"):
        (tmp_path / name).write_text(HEADER + LINES)
    (finding,) = found(tmp_path)
    assert (finding.rule, finding.value) == ("bar_in_two_files", 3.0)
    assert "one and two" in finding.message


def test_a_manifest_gives_files_their_roles(tmp_path: Path) -> None:
    for name in ("one.csv", "two.csv"):
        (tmp_path / name).write_text(HEADER + LINES)
    (tmp_path / "dataset.yaml").write_text("prices:\n  - file: two.csv\ncross_check:\n  - file: one.csv\n")
    report = judge(tmp_path)
    assert found(tmp_path) == []
    assert [quality.dataset for quality in report.symbols] == ["two", "one"]


def test_a_file_the_manifest_leaves_out_is_judged_as_well(tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_text(HEADER + LINES)
    (tmp_path / "two.csv").write_text(HEADER + LINES.replace("SPY,2022-06-02,10", "SPY,2022-06-02,0"))
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 but not really")
    (tmp_path / "dataset.yaml").write_text("prices:\n  - file: one.csv\n")
    report = judge(tmp_path)
    assert {finding.dataset for finding in found(tmp_path)} == {"two"}
    assert any("two: not listed" in note for note in report.notes)
    assert any("broken.parquet: not judged" in note for note in report.notes)


def test_captures_in_one_file_are_judged_apart(tmp_path: Path) -> None:
    frames = [price_frame().assign(source=name) for name in ("vendor a", "vendor b")]
    frames[1].loc[7, ["open", "high", "low", "close"]] = float("nan")
    pd.concat(frames).drop(columns="adjustment").to_parquet(tmp_path / "prices.parquet")
    report = judge(tmp_path)
    assert {(f.rule, f.dataset) for f in report.findings if f.rule != "bar_in_two_files"} >= {
        ("not_finite_price", "prices/vendor b")
    }


def test_a_cell_that_is_no_number_is_a_missing_price(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text(HEADER + LINES.replace("SPY,2022-06-02,10,11", 'SPY,2022-06-02,10,"1,5 €"'))
    assert rules(tmp_path) == {"not_finite_price": 1, "unreadable_number": 1}


def test_dividends_and_splits_are_used_when_they_are_there(tmp_path: Path) -> None:
    frame = price_frame().drop(columns="adjustment")
    frame.loc[100, "dividend"] = 5.0
    frame.to_csv(tmp_path / "p.csv", index=False)
    assert "dividend_not_adjusted" in rules(tmp_path)
    frame.drop(columns="dividend").to_csv(tmp_path / "p.csv", index=False)
    assert rules(tmp_path) == {}


def test_a_capture_of_closes_alone_is_judged_by_its_closes(tmp_path: Path) -> None:
    price_frame()[["symbol", "date", "close"]].to_csv(tmp_path / "closes.csv", index=False)
    assert rules(tmp_path) == {}


def test_bars_of_minutes_are_no_duplicates(tmp_path: Path) -> None:
    frame = price_frame("XYZ").drop(columns="adjustment").iloc[:120]
    stamps = pd.Timestamp("2022-06-01 09:30") + pd.to_timedelta(range(120), unit="min")
    frame.assign(date=stamps.astype(str)).to_csv(tmp_path / "m.csv", index=False)
    assert rules(tmp_path) == {}


def test_macro_files_are_judged(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text(HEADER + LINES)
    lines = ("series,date,value", "VIXCLS,2022-05-27,25", "VIXCLS,2022-05-30,26", "VIXCLS,2022-05-31,.")
    (tmp_path / "m.csv").write_text("\n".join(lines))
    assert rules(tmp_path) == {"observation_on_holiday": 1}


class TestNothingToJudge:
    """What leaves nothing to judge is bad input."""

    def test_no_folder(self, tmp_path: Path) -> None:
        with pytest.raises(DataFileError, match="does not exist"):
            judge(tmp_path / "gone")

    def test_no_fitting_file(self, tmp_path: Path) -> None:
        (tmp_path / "notes.csv").write_text("a,b\n1,2\n")
        with pytest.raises(DataFileError, match=r"nothing to validate \(notes.csv: not judged"):
            judge(tmp_path)

    def test_a_file_that_cannot_be_read(self, tmp_path: Path) -> None:
        (tmp_path / "p.csv").write_text(HEADER + LINES)
        (tmp_path / "broken.parquet").write_bytes(b"PAR1 but not really")
        with pytest.raises(DataFileError, match=r"broken\.parquet"):
            read_folder(tmp_path, universe(), date(2023, 1, 1))

    def test_a_row_without_a_date(self, tmp_path: Path) -> None:
        (tmp_path / "p.csv").write_text(HEADER + LINES + "SPY,soon,10,11,9,10,100\n")
        with pytest.raises(DataFileError, match="is not a date"):
            judge(tmp_path)


@pytest.mark.parametrize("one_file", [True, False], ids=["one long file", "one file per symbol"])
def test_a_symbol_that_ends_early_is_stale_in_both_forms_of_a_folder(tmp_path: Path, one_file: bool) -> None:
    days = exchange_sessions().between(date(2016, 1, 4), date(2016, 6, 30))
    rows = pd.concat(
        [
            pd.DataFrame({"symbol": symbol, "date": days[: len(days) - late].astype(str), "volume": 1e6}).assign(
                **dict.fromkeys(("open", "high", "low", "close"), 50.0)
            )
            for symbol, late in {"GLD": 0, "SPY": 0, "TLT": 0, "XLK": 12}.items()
        ]
    )
    for name, piece in [("all", rows)] if one_file else rows.groupby("symbol"):
        piece.to_csv(tmp_path / f"{name}.csv", index=False)
    report = judge(tmp_path)
    (finding,) = [finding for finding in report.findings if finding.rule == "stale_last_bar"]
    assert (finding.symbol, finding.severity, finding.value) == ("XLK", Severity.ERROR, 12.0)
    assert finding.dataset == ("all" if one_file else "XLK")
