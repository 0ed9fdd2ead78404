"""Exported series: exact values, a manifest with units and source, and only a folder of its own is written over."""

from __future__ import annotations

import csv
import io
import json
from datetime import date
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from tests.builders.settings import make_settings
from trading_lib.adapters.files.export_folder import check_export_folder, write_export
from trading_lib.domain.errors import InputError
from trading_lib.workflows.research.backtest import BacktestRun, backtest
from trading_lib.workflows.research.export import check_format, exported_files

TABLES = ("nav", "positions", "orders", "fills")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> BacktestRun:
    settings = make_settings("postgresql+psycopg2://nobody@127.0.0.1:9/none", tmp_path_factory.mktemp("home"))
    return backtest(settings, date(2006, 1, 3), date(2006, 12, 29))


def rows(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode())))


def test_values_are_the_runs_own_to_the_cent(run: BacktestRun) -> None:
    files, result = exported_files(run, "csv"), run.result
    nav = rows(files["nav.csv"])
    assert [row["session"] for row in nav] == [str(day) for day in result.sessions]
    assert Decimal(nav[-1]["nav"]) == result.portfolio.nav
    fills = rows(files["fills.csv"])
    assert [(row["trade_id"], Decimal(row["quantity"]), Decimal(row["price"]), Decimal(row["commission"]))
            for row in fills] == [(f.trade_id, f.quantity, f.price, f.commission) for f in result.fills]  # fmt: skip
    assert len(rows(files["orders.csv"])) == len(result.orders) + len(result.denied)
    last = [row for row in rows(files["positions.csv"]) if row["session"] == str(result.sessions[-1])]
    held = {row["symbol"]: Decimal(row["quantity"]) for row in last if Decimal(row["quantity"])}
    assert held == {symbol: position.quantity for symbol, position in result.portfolio.positions.items()}


def test_parquet_holds_the_same_as_csv_in_exact_types(run: BacktestRun) -> None:
    plain, packed = exported_files(run, "csv"), exported_files(run, "parquet")
    for name in TABLES:
        table = parquet.read_table(io.BytesIO(packed[f"{name}.parquet"]))
        theirs = rows(plain[f"{name}.csv"])
        assert table.num_rows == len(theirs)
        assert table.column_names == list(theirs[0])
        assert json.loads(table.schema.metadata[b"simulated"]) is True
        for row, ours in zip(theirs[:50], table.slice(0, 50).to_pylist(), strict=True):
            for column, value in ours.items():
                exact = isinstance(value, Decimal | float)
                assert (type(value)(row[column]) if exact else row[column]) == (value if exact else str(value))
    assert pa.types.is_decimal(parquet.read_table(io.BytesIO(packed["fills.parquet"])).schema.field("price").type)


def test_the_manifest_names_every_column_and_says_simulated(run: BacktestRun) -> None:
    files = exported_files(run, "csv")
    manifest = json.loads(files["manifest.json"])
    assert manifest["simulated"] is True
    assert manifest["data_source"] == "simulated"
    assert manifest["strategy"] == "trend 50 + rotation 50"
    for name in TABLES:
        told = manifest["files"][f"{name}.csv"]
        assert list(told["columns"]) == list(rows(files[f"{name}.csv"])[0])
        assert told["rows"] == len(rows(files[f"{name}.csv"]))
    assert "SIMULATED prices" in files["README.md"].decode()


def test_an_export_replaces_an_earlier_one_and_nothing_else(run: BacktestRun, tmp_path: Path) -> None:
    folder = tmp_path / "export"
    write_export(folder, exported_files(run, "csv"))
    write_export(folder, exported_files(run, "parquet"))
    assert {path.suffix for path in folder.iterdir()} == {".parquet", ".json", ".md"}
    (folder / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match=r"holds files that are no export of a backtest \(thesis.txt\)"):
        write_export(folder, exported_files(run, "csv"))
    assert (folder / "thesis.txt").read_text() == "mine"
    assert not (folder / "nav.csv").exists()


def test_a_manifest_cannot_name_files_elsewhere(tmp_path: Path) -> None:
    folder, victim = tmp_path / "export", tmp_path / "victim.txt"
    folder.mkdir()
    victim.write_text("kept")
    lie = {"kind": "trading backtest export", "files": {"../victim.txt": {}, "nav.csv": {}}}
    (folder / "manifest.json").write_text(json.dumps(lie))
    write_export(folder, {"manifest.json": b"{}"})
    assert victim.read_text() == "kept"


@pytest.mark.parametrize("content", ["", "[]", "{", '{"kind": "other"}'])
def test_another_programs_manifest_is_foreign(tmp_path: Path, content: str) -> None:
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(InputError, match="no export of a backtest"):
        check_export_folder(tmp_path)


def test_a_place_that_cannot_be_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="is a file"):
        check_export_folder(tmp_path / "file")
    with pytest.raises(InputError, match="does not exist"):
        check_export_folder(tmp_path / "no" / "such")
    with pytest.raises(InputError, match="no export format 'xlsx'"):
        check_format("xlsx")
