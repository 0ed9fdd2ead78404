"""Brokers by name: each class is loaded when it is asked for, and no client before it is used."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.builders.prices import universe
from trading_lib.adapters.brokers.registry import BROKERS, broker_class, capabilities_of, create_broker
from trading_lib.domain.errors import ConfigurationError
from trading_lib.execution.broker import Broker, BrokerSetting, Capabilities
from trading_lib.execution.config import BROKER_NAMES
from trading_lib.execution.simulated import SIMULATED_BROKER

CLIENTS = ("aiohttp", "alpaca", "ccxt", "requests", "websockets")
NOWHERE = Path("/nowhere")


def loaded(code: str, root: Path) -> str:
    """Which clients a new interpreter has loaded after ``code``."""
    told = f"import sys; {code}; print([name for name in {CLIENTS!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", told], cwd=root, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_the_registry_and_the_command_line_load_no_client(repository_root: Path) -> None:
    assert loaded("import trading_lib.adapters.brokers.registry", repository_root) == "[]"
    assert loaded("import trading_lib.cli", repository_root) == "[]"


@pytest.mark.parametrize("name", sorted(BROKERS))
def test_what_a_broker_can_do_is_known_without_its_client(name: str, repository_root: Path) -> None:
    code = (
        "from pathlib import Path; from trading_lib.adapters.brokers.registry import capabilities_of;"
        f"capabilities_of({name!r}, Path('/nowhere'))"
    )
    heavy = set(loaded(code, repository_root).strip("[]").replace("'", "").split(", ")) - {"", "requests"}
    assert heavy == set()


@pytest.mark.parametrize("name", sorted(BROKERS))
def test_each_one_has_its_name_and_all_methods(name: str) -> None:
    made = broker_class(name, NOWHERE)
    assert made.name == name
    assert isinstance(capabilities_of(name, NOWHERE), Capabilities)
    methods = {method for method, value in vars(Broker).items() if not method.startswith("_") and callable(value)}
    assert {method for method in methods if not callable(getattr(made, method, None))} == set()


@pytest.mark.parametrize("name", sorted(set(BROKERS) - {SIMULATED_BROKER}))
def test_a_real_one_is_created_from_a_setting_without_connecting(name: str) -> None:
    broker = create_broker(name, BrokerSetting("", {}, "paper", tuple(universe())), NOWHERE)
    assert isinstance(broker, Broker)
    assert not broker.capabilities.simulated


def test_a_name_that_is_none_lists_those_there_are() -> None:
    with pytest.raises(ConfigurationError, match=f"there is no broker 'alpca': use {' or '.join(BROKERS)}"):
        broker_class("alpca", NOWHERE)


def test_the_configuration_names_the_brokers_that_there_are() -> None:
    assert tuple(BROKERS) == BROKER_NAMES
