"""Which symbols a folder has prices of, whatever the universe is."""

from __future__ import annotations

from pathlib import Path

import pytest

from trading_lib.adapters.sources.files.listed_symbols import listed_symbols
from trading_lib.domain.errors import DataFileError

HEAD = "date,open,high,low,close,volume"
ROW = "2024-01-02,1,1,1,1,1"


def test_symbols_come_from_the_column_or_from_the_file_name(tmp_path: Path) -> None:
    (tmp_path / "many.csv").write_text(f"symbol,{HEAD}\nIWM,{ROW}\n^VIX,{ROW}\nHYG,{ROW}\n")
    (tmp_path / "iau.csv").write_text(f"{HEAD}\n{ROW}\n")
    (tmp_path / "yields.csv").write_text("series,date,value\nDGS10,2024-01-02,4.0\n")
    assert listed_symbols(tmp_path) == ("HYG", "IAU", "IWM")


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match="nowhere"):
        listed_symbols(tmp_path / "nowhere")
