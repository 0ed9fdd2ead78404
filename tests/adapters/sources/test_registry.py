"""Sources by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.builders import universe
from trading_lib.adapters.sources.registry import SOURCE_NAMES, create_source
from trading_lib.domain.errors import ConfigurationError, DataFileError


def test_every_name_makes_its_source(tmp_path: Path) -> None:
    made = {name: create_source(name, universe(), tmp_path).name for name in SOURCE_NAMES}
    assert made == {"simulated": "simulated", "files": f"files:{tmp_path.name}", "yfinance": "yfinance"}


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match=r"'bloomberg'.*simulated, files, yfinance"):
        create_source("bloomberg", universe())


def test_files_need_a_folder() -> None:
    with pytest.raises(ConfigurationError, match="no data folder"):
        create_source("files", universe())


def test_a_folder_that_is_not_there_fails_at_once(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match="gone does not exist"):
        create_source("files", universe(), tmp_path / "gone")
