"""Sources by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.builders.prices import universe
from trading_lib.adapters.sources.registry import (
    FUNDING_SOURCES,
    KEY_VARIABLES,
    MARKET_SOURCES,
    POSITIONING_SOURCES,
    SOURCE_NAMES,
    create_funding_source,
    create_positioning_source,
    create_source,
)
from trading_lib.domain.errors import ConfigurationError, DataFileError, MissingKeyError

KEYS = dict.fromkeys(KEY_VARIABLES.values(), "secret-token")


def test_every_name_makes_its_source(tmp_path: Path) -> None:
    made = {name: create_source(name, universe(), tmp_path, KEYS).name for name in MARKET_SOURCES}
    assert made == {name: name for name in MARKET_SOURCES} | {"files": f"files:{tmp_path.name}"}
    assert {*MARKET_SOURCES, *FUNDING_SOURCES, *POSITIONING_SOURCES} == set(SOURCE_NAMES)


def test_funding_and_positions_have_their_own_sources(tmp_path: Path) -> None:
    assert [create_funding_source(name, universe(), tmp_path).name for name in FUNDING_SOURCES] == [
        f"files:{tmp_path.name}",
        "binance",
        "bybit",
    ]
    assert [create_positioning_source(name, universe(), tmp_path).name for name in POSITIONING_SOURCES] == [
        f"files:{tmp_path.name}",
        "cftc",
    ]


@pytest.mark.parametrize(("name", "variable"), KEY_VARIABLES.items())
@pytest.mark.parametrize("value", [None, "", " "])
def test_a_missing_key_is_named_by_its_variable(name: str, variable: str, value: str | None) -> None:
    environment = {other: "secret-token" for other in KEY_VARIABLES.values() if other != variable}
    environment |= {} if value is None else {variable: value}
    with pytest.raises(MissingKeyError, match=variable) as caught:
        create_source(name, universe(), environment=environment)
    assert "secret-token" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_keys_come_from_the_environment_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADING_TIINGO_API_KEY", "secret-token")
    assert create_source("tiingo", universe()).name == "tiingo"
    monkeypatch.delenv("TRADING_TIINGO_API_KEY")
    with pytest.raises(MissingKeyError, match="TRADING_TIINGO_API_KEY"):
        create_source("tiingo", universe())


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match=r"'bloomberg'.*simulated, files, polygon, tiingo, yfinance, binance"):
        create_source("bloomberg", universe())
    with pytest.raises(ConfigurationError, match=r"'bloomberg'.*files, binance, bybit"):
        create_funding_source("bloomberg", universe())
    with pytest.raises(ConfigurationError, match=r"'bloomberg'.*files, cftc"):
        create_positioning_source("bloomberg", universe())


def test_a_source_of_another_kind_says_so() -> None:
    with pytest.raises(ConfigurationError, match=r"'cftc' has no market data"):
        create_source("cftc", universe())
    with pytest.raises(ConfigurationError, match=r"'tiingo' has no funding"):
        create_funding_source("tiingo", universe())


def test_files_need_a_folder() -> None:
    for create in (create_source, create_funding_source, create_positioning_source):
        with pytest.raises(ConfigurationError, match="no data folder"):
            create("files", universe())


def test_a_folder_that_is_not_there_fails_at_once(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match="gone does not exist"):
        create_source("files", universe(), tmp_path / "gone")


def test_vendors_clients_are_not_imported_before_they_are_used() -> None:
    import subprocess
    import sys

    program = (
        "import sys; from trading_lib.adapters.sources import registry;"
        "sys.exit(', '.join(n for n in ('ccxt', 'massive', 'fredapi', 'yfinance') if n in sys.modules) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
