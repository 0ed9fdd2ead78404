"""The commands of operations: help with an example, JSON, exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tests.environment.free_port import free_port
from trading_lib.cli.operations.operations import app
from trading_lib.domain.errors import DataFileError, SessionError


@pytest.fixture(name="runner")
def fixture_runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.setenv("TRADING_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TRADING_AIRFLOW_PORT", str(free_port(1)))
    monkeypatch.delenv("TRADING_DATABASE_URL", raising=False)
    return CliRunner()


@pytest.mark.parametrize("command", ["demo", "stack up", "stack down", "stack status", "doctor"])
def test_help_has_an_example(runner: CliRunner, command: str) -> None:
    result = runner.invoke(app, [*command.split(), "--help"])
    assert result.exit_code == 0
    assert f"trading {command}" in " ".join(result.output.split())


def test_status_of_nothing_is_a_finding(runner: CliRunner) -> None:
    result = runner.invoke(app, ["stack", "status", "--json"])
    assert result.exit_code == 1
    content = json.loads(result.output)
    assert not content["running"]
    assert {service["name"] for service in content["services"]} == {
        *(
            "PostgreSQL",
            "MLflow",
            "API server",
            "Scheduler",
            "DAG processor",
            "Triggerer",
            "Alert sender",
            "Heartbeat",
            "Supervisor",
        )
    }
    assert {service["state"] for service in content["services"]} == {"stopped"}


def test_down_of_nothing_is_fine(runner: CliRunner) -> None:
    result = runner.invoke(app, ["stack", "down"])
    assert (result.exit_code, result.output.strip()) == (0, "nothing was running")
    assert json.loads(runner.invoke(app, ["stack", "down", "--json"]).output) == {"processes_ended": 0}


def test_doctor_prints_checks(runner: CliRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRADING_MLFLOW_PORT", "no port")
    result = runner.invoke(app, ["doctor", "--json"])
    assert result.exit_code == 1
    content = json.loads(result.output)
    assert not content["ok"]
    assert {"name", "state", "detail", "remedy"} == set(content["checks"][0])
    assert "failed   stack" in runner.invoke(app, ["doctor"]).output


def test_demo_refuses_bad_input_before_it_starts_anything(runner: CliRunner, tmp_path: Path) -> None:
    absent = runner.invoke(app, ["demo", "--data", str(tmp_path / "absent")])
    assert isinstance(absent.exception, DataFileError)
    weekend = runner.invoke(app, ["demo", "--session", "2022-06-18"])
    assert isinstance(weekend.exception, SessionError)
    assert not (tmp_path / "home").exists()
