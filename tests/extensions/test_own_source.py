"""A source of a user's own is one file: the example of docs/data/sources.md runs, and broken ones are told."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
import yaml
from sqlalchemy import create_engine, text

from tests.builders.price_folder import write_price_folder
from tests.builders.prices import instant, universe
from tests.contracts.source_contract import SourceContract
from tests.environment.command_line import run
from trading_lib.adapters.files.include_folder import include_folder
from trading_lib.adapters.logs import structured
from trading_lib.adapters.sources.registry import create_source
from trading_lib.domain.errors import ConfigurationError
from trading_lib.domain.market.prices import VOLATILITY_INDEX
from trading_lib.market_data.source import MarketDataSource

ROOT = Path(__file__).resolve().parents[2]
FIRST, LAST = date(2020, 1, 2), date(2021, 2, 26)
NAME = "house.py:HousePrices"
SESSIONS = ("2021-02-17", "2021-02-18", "2021-02-19")
SECRET = "hunter2"


def example() -> str:
    """The file that docs/data/sources.md shows."""
    section = (ROOT / "docs" / "data" / "sources.md").read_text().split("## A source of your own")[1]
    return section.split("```python\n")[1].split("```")[0]


@pytest.fixture(scope="module")
def database_of_prices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_price_folder(tmp_path_factory.mktemp("prices"), FIRST, LAST)
    prices = pd.read_parquet(folder / "prices.parquet")
    volatility = pd.read_csv(folder / "volatility.csv", parse_dates=["date"]).assign(dividend=0.0)
    path = folder / "house.sqlite"
    with closing(sqlite3.connect(path)) as database:
        rows = pd.concat([prices, volatility], ignore_index=True)
        rows.assign(date=rows["date"].dt.strftime("%Y-%m-%d")).to_sql("prices", database, index=False)
    return path


@pytest.fixture
def include(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database_of_prices: Path) -> Path:
    """A copy of include/ with the example in it; nothing else of the project is touched."""
    folder = tmp_path / "include"
    shutil.copytree(include_folder(), folder)
    (folder / "sources" / "house.py").write_text(example())
    for variable in [name for name in os.environ if name.startswith(("TRADING_SOURCES__", "TRADING_CONFIG"))]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("TRADING_INCLUDE", str(folder))
    monkeypatch.setenv("TRADING_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HOUSE_PRICES", str(database_of_prices))
    return folder


class TestContract(SourceContract):
    """The example is a source like any other."""

    known = ("SPY", "BTC-USD", "TLT", VOLATILITY_INDEX)
    first, last = date(2020, 2, 3), date(2020, 4, 30)
    as_of = instant("2020-06-30")
    cut = instant("2020-03-11 20:20")

    @pytest.fixture
    def source(self, include: Path) -> MarketDataSource:
        return create_source(NAME, universe())


def stored(database_url: str) -> dict[str, int]:
    engine = create_engine(database_url)
    with engine.connect() as connection:
        counted = connection.execute(text("SELECT source, count(*) FROM bars GROUP BY source")).all()
    engine.dispose()
    return {str(row[0]): int(row[1]) for row in counted}


@pytest.fixture
def installation(include: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("TRADING_DATABASE_URL", database_url)
    return database_url


@pytest.fixture(autouse=True)
def quiet_logs() -> Iterator[None]:
    yield
    structured.stop()


@pytest.mark.postgres
def test_it_is_ingested_traded_and_validated_by_its_name(installation: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("ingest", "--source", NAME, "--to", SESSIONS[-1], "--json") == 0
    assert set(stored(installation)) == {"house"}
    capsys.readouterr()
    for session in SESSIONS:
        assert run("run-daily", "--source", NAME, "--book", "paper", "--session", session, "--json") == 0
    results = capsys.readouterr().out
    assert '"book": "paper"' in results
    engine = create_engine(installation)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT data_source FROM books WHERE name = 'paper'")).scalar_one() == "house"
        assert connection.execute(text("SELECT count(*) FROM fills WHERE book = 'paper'")).scalar_one() > 0
    engine.dispose()
    assert run("validate", "--source", "house") in (0, 1)
    assert run("validate", "--source", NAME) in (0, 1)
    assert run("data-report", "--source", NAME, "--json") in (0, 1)
    capsys.readouterr()


@pytest.mark.postgres
def test_it_takes_its_turn_in_the_chain(installation: str, include: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = include / "config" / "sources.yaml"
    content = yaml.safe_load(path.read_text())
    routes = {route: [NAME] for route in ("US_ETF", "CRYPTO", "volatility_index")}
    path.write_text(yaml.safe_dump(content | {"order": routes | {"macro": []}, "rate_limits": {}}))
    assert run("ingest", "--source", "chain", "--to", SESSIONS[0], "--json") == 0
    result = json.loads(capsys.readouterr().out)
    assert set(result["delivered"].values()) == {"house"}
    assert set(stored(installation)) == {"house"}
    assert run("run-daily", "--source", "chain", "--book", "paper", "--session", SESSIONS[0], "--json") == 0
    assert run("sources", "--json") == 0
    capsys.readouterr()


def test_a_backtest_reads_it_as_the_default(
    include: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TRADING_SOURCES__DEFAULT__SOURCE", NAME)
    assert run("backtest", "--from", "2020-12-01", "--to", SESSIONS[-1], "--json") == 0
    assert json.loads(capsys.readouterr().out)["data_source"] == "house"


LACKS_MACRO = example().replace("def macro(", "def other(")
RAISES = example().replace("self._universe = universe", f"raise RuntimeError('key {SECRET}')")
NAMELESS = example().replace('name = "house"', 'label = "house"')
TAKEN = example().replace('name = "house"', 'name = "yfinance"')
ANSWER = "        return bars_per_symbol(self.name, self._universe, symbols, first, last, as_of, self._history)"


def spoiled(change: str) -> str:
    """The example with ``change`` made to the frame of its answer."""
    return example().replace(
        ANSWER,
        ANSWER.replace("return", "answer =")
        + f"\n        frame = answer.bars.frame\n        {change}\n"
        + "        return type(answer)(type(answer.bars)(frame), answer.failures)",
    )


BROKEN = {
    "no file": (None, "house.py does not exist"),
    "no class": ("PRICES = 1\n", "house.py has no class 'HousePrices'"),
    "no Python": ("class HousePrices(:\n", "cannot be loaded: SyntaxError"),
    "no method": (LACKS_MACRO, "has no method macro"),
    "no name": (NAMELESS, "has no name for its rows"),
    "a name that is taken": (TAKEN, "calls its rows 'yfinance'"),
    "a raising constructor": (RAISES, "cannot be created (RuntimeError in line"),
    "naive times": (
        spoiled("frame = frame.assign(available_at=frame['available_at'].dt.tz_localize(None))"),
        "has 'available_at' as datetime64[us], not datetime64[us, UTC]",
    ),
    "a column that lacks": (spoiled("frame = frame.drop(columns='close')"), "has no column 'close'"),
    "a column too many": (spoiled("frame = frame.assign(vwap=1.0)"), "has a column 'vwap'"),
    "text for a number": (spoiled("frame = frame.assign(close='9')"), "has 'close' as"),
    "another name": (spoiled("frame = frame.assign(source='else')"), "source is not its name 'house'"),
    "bars from the future": (
        spoiled("frame = frame.assign(available_at=frame['available_at'] + pd.Timedelta(days=9999))"),
        "has rows not known at",
    ),
    "days nobody asked for": (
        spoiled("frame = frame.assign(date=frame['date'] - pd.Timedelta(days=9999))"),
        "has rows before",
    ),
    "a symbol nobody asked for": (spoiled("frame = frame.assign(symbol='ELSE')"), "bars of ELSE"),
    "a symbol left out in silence": (spoiled("frame = frame.iloc[:0]"), "has neither bars of"),
    "a defect": (spoiled(f"frame['{SECRET}']"), "is broken: KeyError in line"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_one_is_told(case: str, include: Path) -> None:
    content, said = BROKEN[case]
    path = include / "sources" / "house.py"
    path.unlink()
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigurationError) as caught:
        create_source(NAME, universe()).bars(["SPY"], FIRST, LAST, instant("2022-01-01"))
    assert said in str(caught.value)
    assert SECRET not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.postgres
@pytest.mark.parametrize("case", ["no method", "a raising constructor", "naive times", "a column that lacks"])
def test_a_broken_one_is_one_line_and_nothing_is_stored(
    case: str, installation: str, include: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content, said = BROKEN[case]
    path = include / "sources" / "house.py"
    path.unlink()
    if content is not None:
        path.write_text(content)
    assert run("ingest", "--source", NAME, "--from", "2020-12-01", "--to", SESSIONS[0]) == 2
    told = capsys.readouterr().err.strip().splitlines()[-1]
    assert said in told
    assert SECRET not in told
    assert stored(installation) == {}


def test_a_folder_beside_it_is_refused(include: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("ingest", "--source", NAME, "--data", "prices") == 2
    assert "reads no folder" in capsys.readouterr().err


def test_the_forms_offer_what_the_configuration_names(include: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from trading_lib.workflows.setup.settings import load_settings

    path = include / "config" / "sources.yaml"
    path.write_text(path.read_text() + f"\nown: ['{NAME}']\n")
    monkeypatch.setenv("TRADING_SOURCES__DEFAULT__SOURCE", "desk.feed:Feed")
    assert load_settings().configuration.sources.own_names == (NAME, "desk.feed:Feed")
