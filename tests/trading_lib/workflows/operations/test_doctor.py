"""The doctor says what is wrong and what to do about it."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import pytest

from tests.environment.free_port import free_port
from trading_lib.adapters.backups.encryption import new_identity
from trading_lib.adapters.files.disarmed_books import DisarmedBooks
from trading_lib.workflows.operations.doctor import (
    Check,
    check_armed,
    check_backups,
    check_channels,
    check_disk,
    check_log,
    check_packages,
    check_python,
    run_checks,
)


@pytest.mark.parametrize(
    ("version", "state"), [((3, 10), "failed"), ((3, 11), "ok"), ((3, 13), "ok"), ((3, 14), "failed")]
)
def test_python(version: tuple[int, int], state: str) -> None:
    assert check_python(version).state == state


def test_packages_are_compared_with_the_lock(tmp_path: Path) -> None:
    lock = tmp_path / "requirements.txt"
    numpy = metadata.version("numpy")
    lock.write_text(f"numpy=={numpy}\n# a comment\nabsent-here==1 ; sys_platform == 'none'\n")
    assert check_packages(lock) == Check("packages", "ok", "1 packages as locked")
    lock.write_text("numpy==0.1\nsurely-not-installed==1\n")
    check = check_packages(lock)
    assert check.state == "failed"
    assert check.detail == f"numpy is {numpy}, locked is 0.1, surely-not-installed is not installed"
    assert str(lock) in check.remedy


def test_disk(tmp_path: Path) -> None:
    assert check_disk(tmp_path, 50 * 1024**3).state == "ok"
    full = check_disk(tmp_path, 1024**3)
    assert (full.state, "1.0 GiB" in full.detail) == ("failed", True)


def test_a_machine_where_nothing_runs_is_healthy(tmp_path: Path) -> None:
    free = free_port(1)
    environment = {"TRADING_HOME": str(tmp_path), "TRADING_AIRFLOW_PORT": str(free), "TRADING_MLFLOW_PORT": "1024"}
    states = {check.name: check.state for check in run_checks(environment)}
    assert states["python"] == check_python(sys.version_info[:2]).state
    parts = ("database", "mlflow", "api-server", "scheduler", "dag-processor", "triggerer", "supervisor")
    assert {states[name] for name in parts} == {"stopped"}
    assert states["airflow port"] == "ok"


def test_an_unusable_setting_is_a_finding_and_hides_no_other(tmp_path: Path) -> None:
    checks = {check.name: check for check in run_checks({"TRADING_HOME": str(tmp_path), "TRADING_MLFLOW_PORT": "x"})}
    assert checks["stack"].state == "failed"
    assert "TRADING_MLFLOW_PORT" in checks["stack"].detail
    assert checks["disk"].state == "ok"


def test_an_unreachable_database_is_a_finding(tmp_path: Path) -> None:
    url = f"postgresql://u:hunter2@127.0.0.1:{free_port(1)}/trading"
    checks = {c.name: c for c in run_checks({"TRADING_HOME": str(tmp_path), "TRADING_DATABASE_URL": url})}
    assert checks["database"].state == "failed"
    assert "hunter2" not in str(checks)


def test_channels_are_checked_without_sending(tmp_path: Path) -> None:
    home = {"TRADING_HOME": str(tmp_path)}
    (unset,) = check_channels(home)
    assert (unset.state, str(tmp_path / "mail") in unset.detail) == ("stopped", True)
    connection = {"AIRFLOW_CONN_SMTP_DEFAULT": '{"conn_type": "smtp", "host": "mail"}'}
    (nobody,) = check_channels(home | connection)
    assert (nobody.state, "TRADING_ALERT_EMAIL" in nobody.detail) == ("failed", True)
    closed = {"TRADING_ALERT_WEBHOOK_URL": f"json://127.0.0.1:{free_port(1)}/hunter2hunter2"}
    (well,) = check_channels(home | connection | {"TRADING_ALERT_EMAIL": "a@example.com"} | closed)
    assert (well.state, "mail (mailtos), webhook (json)" in well.detail) == ("ok", True)
    assert "hunter2" not in str(well)
    broken, *_ = check_channels(home | {"TRADING_ALERT_SLACK_URL": "slack://hunter2hunter2"})
    assert (broken.state, "slack" in broken.detail, "hunter2" in str(broken)) == ("failed", True, False)


def test_backups_on_the_same_machine_or_open_to_readers_are_told(tmp_path: Path) -> None:
    home = {"TRADING_HOME": str(tmp_path)}
    beside = check_backups(home)
    assert (beside.state, beside.detail) == (
        "stopped",
        f"{tmp_path / 'backups'}, NOT ENCRYPTED: on the same machine, lost with its disk",
    )
    away = home | {"TRADING_BACKUP__DESTINATION": "s3://mine/its"}
    assert (check_backups(away).state, "NOT ENCRYPTED" in check_backups(away).detail) == ("stopped", True)
    key = new_identity(tmp_path / "key.txt")
    closed = check_backups(away | {"TRADING_BACKUP__RECIPIENTS": f"[{key}]"})
    assert (closed.state, "s3://mine/its, encrypted to 1 key" in closed.detail) == ("ok", True)
    assert check_backups(home | {"TRADING_BACKUP__DESTINATION": "gs://mine"}).state == "failed"
    assert check_backups(home | {"TRADING_BACKUP__RECIPIENTS": "[age1x]"}).state == "failed"


def test_restored_books_that_send_nothing_are_named(tmp_path: Path) -> None:
    assert check_armed(tmp_path) == ()
    now = datetime(2026, 11, 20, tzinfo=UTC)
    DisarmedBooks(tmp_path).disarm_all("restored", now)
    (check,) = check_armed(tmp_path)
    assert (check.state, check.remedy) == ("failed", "run `trading restore-host` again")
    DisarmedBooks(tmp_path).name_them(["paper", "a b"], "restored", now)
    (check,) = check_armed(tmp_path)
    assert (check.state, check.detail) == ("stopped", "disarmed, so they send nothing: a b, paper")


def test_a_log_that_can_be_written_is_named(tmp_path: Path) -> None:
    assert check_log(tmp_path / "none" / "logs").detail.startswith(str(tmp_path / "none" / "logs" / "trading.jsonl"))
