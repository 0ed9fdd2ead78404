"""`dataset.yaml`: roles, filters, and errors that name the file and the key."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from tests.builders.prices import instant, universe
from trading_lib.adapters.sources.files.manifest import read_manifest
from trading_lib.adapters.sources.files.source import FileSource
from trading_lib.domain.errors import DataFileError

LATER = instant("2023-06-30")
PRICES = (
    "source,symbol,date,open,high,low,close,volume\n"
    "good,SPY,2022-06-01,10,11,9,10,100\nbad,SPY,2022-06-01,99,99,99,99,100\n"
)


def folder_with(tmp_path: Path, manifest: str, **files: str) -> Path:
    (tmp_path / "dataset.yaml").write_text(manifest, encoding="utf-8")
    for name, text in files.items():
        (tmp_path / f"{name}.csv").write_text(text, encoding="utf-8")
    return tmp_path


def bars(folder: Path) -> pd.DataFrame:
    return FileSource(folder, universe()).bars(["SPY"], date(2000, 1, 1), date(2030, 1, 1), LATER).bars.frame


def test_a_folder_without_a_manifest_has_none(tmp_path: Path) -> None:
    assert read_manifest(tmp_path) is None


def test_only_the_listed_file_is_taken_and_only_its_matching_rows(tmp_path: Path) -> None:
    folder = folder_with(
        tmp_path, "prices:\n  - file: p.csv\n    where: {source: good}\n", p=PRICES, other=PRICES.replace("good", "x")
    )
    assert bars(folder)["close"].tolist() == [10.0]


def test_a_filter_works_on_a_column_of_numbers(tmp_path: Path) -> None:
    text = PRICES.replace("source,", "run,").replace("good,", "7,").replace("bad,", "8,")
    folder = folder_with(tmp_path, "prices:\n  - file: p.csv\n    where: {run: 8}\n", p=text)
    assert bars(folder)["close"].tolist() == [99.0]


def test_the_manifest_may_say_what_prices_are_adjusted_for(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, "prices:\n  - {file: p.csv, where: {source: good}, adjustment: split}\n", p=PRICES)
    assert bars(folder)["adjustment"].tolist() == ["split"]


def test_macro_files_are_read_by_their_role(tmp_path: Path) -> None:
    folder = folder_with(
        tmp_path,
        "prices:\n  - {file: p.csv, where: {source: good}}\nmacro:\n  - file: m.csv\n",
        p=PRICES,
        m="series,date,value\nCPIAUCSL,2022-05-01,291\n",
        ignored="series,date,value\nDFF,2022-05-01,1\n",
    )
    frame = FileSource(folder, universe()).macro(date(2022, 1, 1), date(2022, 12, 31), LATER).frame
    assert frame["series"].tolist() == ["CPIAUCSL"]


@pytest.mark.parametrize(
    ("manifest", "words"),
    [
        ("pricez:\n  - file: p.csv\n", "unknown role 'pricez'"),
        ("prices:\n  - file: p.csv\n    were: {a: b}\n", "unknown key 'were' for p.csv under 'prices'"),
        ("prices:\n  - file: gone.csv\n", "lists gone.csv under 'prices', which does not exist"),
        ("cross_check:\n  - file: gone.csv\n", "lists gone.csv under 'cross_check', which does not exist"),
        ("prices: p.csv\n", "role 'prices' is no list"),
        ("prices:\n  - p.csv\n", "an entry of 'prices' names no file"),
        ("prices:\n  - file: p.csv\n    where: good\n", "'where' of p.csv is no mapping"),
        ("prices:\n  - {file: p.csv, adjustment: total_return}\n", "adjustment 'total_return' of p.csv"),
        ("prices:\n  - file: ../p.csv\n", "../p.csv lies outside the folder"),
        ("prices: [\n", "is not valid YAML"),
        ("", "holds no roles"),
        ("- prices\n", "holds no roles"),
        ("macro:\n  - file: p.csv\n", "lists no file under 'prices'"),
        ("prices:\n  - file: p.csv\n    where: {vendor: x}\n", "p.csv has no column 'vendor' to filter on"),
        ("prices:\n  - file: p.csv\n    where: {source: x}\n", "p.csv has no row with source 'x'"),
        ("prices:\n  - file: m.csv\n", "m.csv cannot be a prices file: it lacks open, high, low, close"),
    ],
)
def test_what_is_wrong_is_named_with_the_manifest_or_the_file(tmp_path: Path, manifest: str, words: str) -> None:
    folder = folder_with(tmp_path, manifest, p=PRICES, m="series,date,value\nDFF,2022-05-01,1\n")
    with pytest.raises(DataFileError) as caught:
        bars(folder)
    message = str(caught.value)
    assert words in message
    assert "\n" not in message
    assert str(tmp_path) in message
    assert caught.value.remedy


def test_a_macro_file_without_the_columns_is_an_error_when_listed(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, "prices:\n  - file: p.csv\nmacro:\n  - file: p.csv\n", p=PRICES)
    with pytest.raises(DataFileError, match=r"p\.csv lacks series, value"):
        FileSource(folder, universe()).macro(date(2022, 1, 1), date(2022, 12, 31), LATER)
