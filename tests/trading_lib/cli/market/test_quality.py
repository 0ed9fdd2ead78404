"""``trading validate``: exit codes, JSON, and that no database is touched."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from tests.builders.price_folder import write_price_folder
from trading_lib.cli import main


@pytest.fixture(name="folder")
def fixture_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TRADING_HOME", str(tmp_path / "home"))
    # Nobody listens there: whatever needs the database fails.
    monkeypatch.setenv("TRADING_DATABASE_URL", "postgresql+psycopg2://nobody@127.0.0.1:1/trading")
    folder = write_price_folder(tmp_path / "prices", date(2021, 1, 4), date(2022, 6, 30))
    (folder / "rates.csv").write_text("series,date,value\nDFF,2021-01-04,0.1\n")
    return folder


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(["validate", *arguments])
    printed = capsys.readouterr()
    return int(ended.value.code or 0), printed.out, printed.err


def plant(folder: Path, column: str, value: float) -> None:
    prices = pd.read_parquet(folder / "prices.parquet")
    row = prices.index[prices["symbol"] == "GLD"][100]
    prices.loc[row, column] = value
    prices.to_parquet(folder / "prices.parquet", index=False)


def test_a_sound_folder_is_0(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    code, output, _ = run(capsys, "--data", str(folder), "--json")
    content = json.loads(output)
    assert (code, content["findings"], content["worst"]) == (0, [], None)
    assert content["symbols"]["SPY"]["coverage"] == 1.0
    assert not (folder.parent / "home").exists()


def test_an_alert_is_0_as_well(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    plant(folder, "open", 1e6)
    code, output, _ = run(capsys, "--data", str(folder), "--json")
    assert code == 0
    assert {finding["severity"] for finding in json.loads(output)["findings"]} == {"WARNING"}


def test_an_error_is_1(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    plant(folder, "close", -1.0)
    code, output, _ = run(capsys, "--data", str(folder), "--json")
    assert code == 1
    findings = json.loads(output)["findings"]
    assert set(findings[0]) >= {"symbol", "session", "rule", "severity", "value", "message"}
    (finding,) = [finding for finding in findings if finding["rule"] == "non_positive_price"]
    assert (finding["symbol"], finding["severity"], finding["value"]) == ("GLD", "ERROR", -1.0)
    assert date.fromisoformat(finding["session"])
    text = run(capsys, "--data", str(folder))[1]
    assert "non_positive_price" in text
    assert "GLD" in text


def test_what_is_not_there_is_1(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    prices = pd.read_parquet(folder / "prices.parquet")
    prices[prices["symbol"] != "GLD"].to_parquet(folder / "prices.parquet", index=False)
    code, output, _ = run(capsys, "--data", str(folder), "--json")
    content = json.loads(output)
    assert code == 1
    assert content["missing"] == {"symbols": ["GLD"], "volatility_index": False, "cash_rate": False}
    assert [(finding["rule"], finding["symbol"]) for finding in content["findings"]] == [("missing_symbol", "GLD")]
    assert "missing no prices for GLD" in run(capsys, "--data", str(folder))[1]
    for name, rule in (("volatility.csv", "missing_volatility_index"), ("rates.csv", "missing_cash_rate")):
        (folder / name).unlink()
        code, output, _ = run(capsys, "--data", str(folder), "--json")
        assert code == 1
        assert rule in json.loads(output)["counts"]


def test_a_file_that_was_not_taken_although_its_name_is_a_symbol_is_1(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    (folder / "SPY.csv").write_text("date,close\n2022-06-01,10\n")
    code, output, _ = run(capsys, "--data", str(folder), "--json")
    assert code == 1
    assert "file_not_taken" in json.loads(output)["counts"]


def test_bad_input_is_2_with_one_line(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    code, output, problem = run(capsys, "--data", str(folder / "gone"), "--json")
    assert code == 2
    assert "does not exist" in json.loads(output)["error"]
    assert problem.count("\n") == 1
    assert run(capsys)[0] == 2


def test_pages_are_written_where_asked(capsys: pytest.CaptureFixture[str], folder: Path, tmp_path: Path) -> None:
    code, output, _ = run(capsys, "--data", str(folder), "--docs", str(tmp_path / "pages"), "--json")
    assert code == 0
    assert Path(json.loads(output)["docs"]).is_file()
