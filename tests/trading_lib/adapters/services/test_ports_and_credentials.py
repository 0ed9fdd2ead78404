"""Ports are checked before anything starts; secrets are made once and kept closed."""

from __future__ import annotations

import json
import os
import socket
import stat
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

from tests.environment.free_port import free_port
from trading_lib.adapters.services.credentials import Credentials, load_or_create, write_private
from trading_lib.adapters.services.ports import Port, ServicePorts, is_free, require_free
from trading_lib.domain.errors import ConfigurationError, PortInUseError


@pytest.fixture(name="taken")
def fixture_taken() -> Iterator[int]:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield server.getsockname()[1]


def test_ports_have_defaults_and_variables() -> None:
    default = ServicePorts.configured({})
    assert (default.airflow.number, default.mlflow.number) == (8080, 5000)
    moved = ServicePorts.configured({"TRADING_AIRFLOW_PORT": "9001", "TRADING_MLFLOW_PORT": "9002"})
    assert (moved.airflow.number, moved.mlflow.number) == (9001, 9002)


@pytest.mark.parametrize("text", ["http", "0", "65536", "-1", "80.5", "\uff18\uff10"])
def test_an_impossible_port_names_the_variable(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"TRADING_MLFLOW_PORT=.* is no port"):
        ServicePorts.configured({"TRADING_MLFLOW_PORT": text})


def test_one_port_for_both_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="TRADING_AIRFLOW_PORT and TRADING_MLFLOW_PORT are both 5000"):
        ServicePorts.configured({"TRADING_AIRFLOW_PORT": "5000"})


def test_a_taken_port_names_number_holder_and_variable(taken: int) -> None:
    with pytest.raises(PortInUseError) as caught:
        require_free(Port("Airflow", taken, "TRADING_AIRFLOW_PORT"))
    message = str(caught.value)
    assert f"port {taken}, which Airflow needs" in message
    assert f"(process {os.getpid()})" in message
    assert "TRADING_AIRFLOW_PORT" in message


def test_a_port_bound_but_not_listening_is_taken_too() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as server:
        server.bind(("127.0.0.1", 0))
        assert not is_free(server.getsockname()[1])


def test_a_free_port_passes(taken: int) -> None:
    free = free_port(taken)
    assert free != taken
    assert is_free(free)
    require_free(Port("MLflow", free, "TRADING_MLFLOW_PORT"))
    assert free_port(free) == free


def test_credentials_are_generated_once_and_closed_to_others(tmp_path: Path) -> None:
    path = tmp_path / "home" / "credentials.json"
    first = load_or_create(path)
    assert load_or_create(path) == first
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_or_create(tmp_path / "other.json") != first
    assert len(first.token_key) >= 64


def test_a_file_of_an_earlier_version_is_completed_and_keeps_what_it_has(tmp_path: Path) -> None:
    path = tmp_path / "credentials.json"
    first = load_or_create(path)
    content = json.loads(path.read_text())
    del content["mlflow_password"]
    path.write_text(json.dumps(content))
    completed = load_or_create(path)
    assert {**asdict(first), "mlflow_password": ""} == {**asdict(completed), "mlflow_password": ""}
    assert len(completed.mlflow_password) >= 20
    assert load_or_create(path) == completed
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_credentials_do_not_show_in_logs() -> None:
    credentials = Credentials.generate()
    assert repr(credentials) == "Credentials()"


@pytest.mark.parametrize("content", ["{", "[]", "{}", json.dumps({"admin_password": 1})])
def test_a_broken_credentials_file_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / "credentials.json"
    path.write_text(content)
    with pytest.raises(ConfigurationError, match=r"credentials\.json"):
        load_or_create(path)


def test_a_credentials_file_that_others_may_read_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "credentials.json"
    made = load_or_create(path)
    path.chmod(0o644)
    assert load_or_create(path) == made
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_private_files_replace_open_ones(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("old")
    path.chmod(0o644)
    write_private(path, "new")
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == ["secret"]
