"""Small folders that once gave a wrong value in silence: each now gives the right one, or is refused by name."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from tests.builders.settings import make_settings
from trading_lib.domain.errors import DataFileError
from trading_lib.workflows.data.folder_quality import validate_folder
from trading_lib.workflows.research.backtest import Report, backtest

WINDOW = (date(2015, 1, 2), date(2016, 12, 30))


@pytest.fixture(scope="module", name="report")
def fixture_report(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Path], Report]:
    settings = make_settings("", tmp_path_factory.mktemp("home"))
    return lambda folder: backtest(settings, *WINDOW, folder).report


@pytest.mark.parametrize("case", ["tiingo_csv_split", "alphavantage_columns"])
def test_a_vendors_split_is_a_split(case: str, shared_cases: Path, report: Callable[[Path], Report]) -> None:
    right, found = report(shared_cases / case / "right"), report(shared_cases / case / "wrong")
    assert round(found["final_nav"], 2) == round(right["final_nav"], 2) == 102_542.49
    assert round(found["dividends"], 2) == round(right["dividends"], 2)
    assert found["orders"] == right["orders"]
    assert found["max_risk_level"] == 0


def test_freds_own_file_is_the_cash_rate(shared_cases: Path, report: Callable[[Path], Report]) -> None:
    right, found = (report(shared_cases / "fred_download" / name) for name in ("right", "wrong"))
    assert found["sharpe"] == right["sharpe"] == pytest.approx(-1.402, abs=5e-4)
    assert found["missing"]["cash_rate"] is right["missing"]["cash_rate"] is False
    assert not any("not taken" in note for note in (*found["notes"], *right["notes"]))


def test_no_file_is_left_out_in_silence(shared_cases: Path, report: Callable[[Path], Report], tmp_path: Path) -> None:
    case = shared_cases / "files_left_out_silently"
    right = report(case / "right")
    assert round(right["final_nav"]) == 108_813
    assert right["missing"]["symbols"] == [
        *("QQQ", "BTC-USD", "SLV", "XLF", "XLE", "XLV", "TIP", "EFA", "EEM", "DBC", "VNQ")
    ]
    with pytest.raises(DataFileError, match=r"SPY\.csv is Nasdaq\.com's, which states no dividends, and SPY may pay"):
        report(case / "wrong")
    settings = make_settings("", tmp_path)
    found = validate_folder(case / "wrong", settings.configuration.universe, settings.clock())
    named = {finding.symbol for finding in found.findings if finding.rule == "no_dividends"}
    assert named == {"SPY", "TLT", "XLK"}
    # Told to do without dividends it trades all four, under the index of VIX.csv.
    folder = tmp_path / "accepted"
    folder.mkdir()
    lines = ["prices:"]
    for path in sorted((case / "wrong").iterdir()):
        (folder / path.name).write_bytes(path.read_bytes())
        lines.append(f"  - {{file: {path.name}, dividends: none}}")
    (folder / "dataset.yaml").write_text("\n".join(lines))
    accepted = report(folder)
    assert accepted["missing"] == right["missing"]
    assert accepted["final_nav"] == pytest.approx(107_632.30, abs=0.01)
