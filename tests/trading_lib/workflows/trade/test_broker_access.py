"""Brokers that cannot be used: one line that names the offender, exit 2, nothing stored, and no key in it."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
import yaml

from tests.builders.own_code.broker import ROOT, make_project
from tests.builders.price_folder import write_price_folder
from tests.builders.settings import make_settings
from tests.environment.command_line import run
from trading_lib.adapters.stores.postgres.database import connect
from trading_lib.domain.book.books import BookKind
from trading_lib.domain.errors import ConfigurationError, InputError, SimulatedDataError
from trading_lib.workflows.setup.configuration import load_configuration
from trading_lib.workflows.setup.settings import Settings
from trading_lib.workflows.trade.broker_access import check_brokers, refuse_tryouts

SECRET = "sk-live-0123456789"
WHOLE = "from trading_lib.domain.market.instruments import AssetClass\nfrom trading_lib.execution.broker import *\n"
WHOLE += (ROOT / "docs" / "examples" / "by_hand.py").read_text(encoding="utf-8")
CAPABILITIES = "Capabilities(asset_classes=frozenset(AssetClass), fractional=True)"


def with_capabilities(text: str) -> str:
    assert CAPABILITIES in WHOLE
    return WHOLE.replace(CAPABILITIES, f"Capabilities({text})")


BAD = {
    "unknown broker": ("", "alpacca", "account main names broker 'alpacca', which is none of paper"),
    "no such file": ("", "other.py:ByHand", "other.py does not exist"),
    "no such class": (WHOLE, "own.py:ByFoot", "own.py has no class 'ByFoot'"),
    "no such module": (WHOLE, "nowhere.brokers:One", "nowhere.brokers cannot be loaded: ModuleNotFoundError"),
    "raises": (
        "import os\n\nraise RuntimeError('key ' + os.environ['BROKER_KEY'])\n",
        "own.py:ByHand",
        r"own\.py cannot be loaded: RuntimeError \(line 3\)",
    ),
    "is no Python": ("\nname = = 1\n", "own.py:ByHand", r"SyntaxError: invalid syntax \(line 2\)"),
    "says nothing of itself": ("class ByHand:\n    pass\n", "own.py:ByHand", "does not say what it can do"),
    "lacks a method": (
        WHOLE.replace("async def fills_since", "async def fills_from"),
        "own.py:ByHand",
        "has no method fills_since",
    ),
    "has no name": (WHOLE.replace('name = "by-hand"', "pass"), "own.py:ByHand", "has no name of its own"),
    "takes the simulated broker's name": (
        WHOLE.replace('name = "by-hand"', 'name = "paper"'),
        "own.py:ByHand",
        "give its class a `name` that is not paper",
    ),
    "is not asynchronous": (
        WHOLE.replace("async def submit", "def submit"),
        "own.py:ByHand",
        "method submit of broker own.py:ByHand is not `async def`",
    ),
    "calls itself simulated": (
        with_capabilities("asset_classes=frozenset(AssetClass), fractional=True, simulated=True"),
        "own.py:ByHand",
        "calls itself simulated",
    ),
    "asset class": (
        with_capabilities("asset_classes=frozenset({AssetClass.US_ETF}), fractional=True"),
        "own.py:ByHand",
        "account main: broker own.py:ByHand does not trade CRYPTO",
    ),
    "parts of a unit": (
        with_capabilities("asset_classes=frozenset(AssetClass)"),
        "own.py:ByHand",
        "trades whole units only, and BTC-USD is traded in parts",
    ),
    "currency": (
        with_capabilities("asset_classes=frozenset(AssetClass), fractional=True, currency='EUR'"),
        "own.py:ByHand",
        "keeps its accounts in EUR, not USD",
    ),
    "kind of order": (
        with_capabilities("asset_classes=frozenset(AssetClass), fractional=True, order_types=frozenset({'LIMIT'})"),
        "own.py:ByHand",
        "takes no market orders for the opening",
    ),
    "time in force": (
        with_capabilities(
            "asset_classes=frozenset(AssetClass), fractional=True, times_in_force=frozenset({TimeInForce.DAY})"
        ),
        "own.py:ByHand",
        "takes no market orders for the opening",
    ),
}


def settings_of(project: Path) -> Settings:
    configuration = load_configuration(project / "include" / "config", {})
    return Settings(configuration, make_settings("", project / "home").folders, None)


@pytest.mark.parametrize("case", BAD)
def test_a_broker_that_cannot_be_used_is_refused_in_one_line(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BROKER_KEY", SECRET)
    source, broker, words = BAD[case]
    project = make_project(tmp_path / "project", source, broker)
    with pytest.raises(ConfigurationError, match=words) as refused:
        check_brokers("files:prices", settings_of(project))
    assert "\n" not in str(refused.value)
    assert SECRET not in str(refused.value)


def test_a_broker_that_can_do_it_passes(tmp_path: Path) -> None:
    check_brokers("files:prices", settings_of(make_project(tmp_path / "project", WHOLE, "own.py:ByHand")))


def test_simulated_prices_never_reach_a_real_broker(tmp_path: Path) -> None:
    settings = settings_of(make_project(tmp_path / "project", WHOLE, "own.py:ByHand"))
    with pytest.raises(SimulatedDataError, match=r"account main is at own\.py:ByHand, and simulated prices never"):
        check_brokers("simulated", settings)


def at_alpaca(folder: Path) -> Settings:
    project = make_project(folder, broker="alpaca", asset_classes=["US_ETF"], share="0.5")
    path = project / "include" / "config" / "execution.yaml"
    execution = yaml.safe_load(path.read_text(encoding="utf-8"))
    coins = {"name": "coins", "broker": "binance", "endpoint": "paper", "currency": "USDT", "as_usd": True}
    execution["accounts"].append(coins | {"asset_classes": ["CRYPTO"], "share": "0.5"})
    path.write_text(yaml.safe_dump(execution), encoding="utf-8")
    return settings_of(project)


def test_the_broker_simulator_may_be_tried_with_simulated_prices_and_a_demo_book(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = at_alpaca(tmp_path / "project")
    with pytest.raises(SimulatedDataError, match="account main is at alpaca, and simulated prices never reach"):
        check_brokers("simulated", settings)
    with pytest.raises(InputError, match="book demo is a demo book, and account main is at alpaca, which is real"):
        refuse_tryouts("demo", BookKind.DEMO, settings)
    monkeypatch.setenv("TRADING_BROKER_SIMULATOR", "http://127.0.0.1:8765")
    check_brokers("simulated", settings)
    refuse_tryouts("demo", BookKind.DEMO, settings)


def test_no_broker_of_ones_own_is_sent_orders_by_the_broker_simulators_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(make_project(tmp_path / "project", WHOLE, "own.py:ByHand"))
    monkeypatch.setenv("TRADING_BROKER_SIMULATOR", "http://127.0.0.1:8765")
    with pytest.raises(ConfigurationError, match=r"own\.py:ByHand, and the broker simulator at http"):
        check_brokers("files:prices", settings)


@pytest.mark.postgres
@pytest.mark.parametrize("case", ["unknown broker", "no such file", "raises", "asset class"])
def test_the_command_line_refuses_it_and_stores_nothing(
    case: str,
    database_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    source, broker, _ = BAD[case]
    project = make_project(tmp_path / "project", source, broker)
    prices = write_price_folder(tmp_path / "prices", date(2021, 1, 4), date(2021, 2, 26))
    monkeypatch.setenv("BROKER_KEY", SECRET)
    monkeypatch.setenv("TRADING_CONFIG", str(project / "include" / "config"))
    monkeypatch.setenv("TRADING_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TRADING_DATABASE_URL", database_url)
    assert run("run-daily", "--session", "2021-02-12", "--data", str(prices)) == 2
    told = capsys.readouterr()
    assert broker.partition(":")[0] in told.err
    assert SECRET not in told.err + told.out
    assert len([line for line in told.err.splitlines() if line.startswith("error")]) == 1
    with connect(database_url).connect() as connection:
        for table in ("books", "bars", "order_intents"):
            assert connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar() == 0


def test_two_accounts_are_not_one_at_the_broker(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project", WHOLE, "own.py:ByHand")
    path = project / "include" / "config" / "execution.yaml"
    execution = yaml.safe_load(path.read_text(encoding="utf-8"))
    (first,) = execution["accounts"]
    execution["accounts"] = [
        first | {"name": "stocks", "asset_classes": ["US_ETF"], "share": "0.5"},
        first | {"name": "coins", "asset_classes": ["CRYPTO"], "share": "0.5"},
    ]
    path.write_text(yaml.safe_dump(execution), encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"account coins: .* has it as account stocks already"):
        check_brokers("files:prices", settings_of(project))
    execution["accounts"][1]["broker_account"] = "U2"
    path.write_text(yaml.safe_dump(execution), encoding="utf-8")
    check_brokers("files:prices", settings_of(project))


@pytest.mark.parametrize("kind", [BookKind.DEMO, BookKind.BACKTEST])
def test_a_book_for_trying_out_never_reaches_a_real_broker(tmp_path: Path, kind: BookKind) -> None:
    settings = settings_of(make_project(tmp_path / "project", WHOLE, "own.py:ByHand"))
    with pytest.raises(InputError, match=f"book demo is a {kind} book, and account main is at own.py:ByHand"):
        refuse_tryouts("demo", kind, settings)
    refuse_tryouts("paper", BookKind.PAPER, settings)
