"""An alert is stored within a second, whatever is broken around it, and the program that sends it finds it there."""

from __future__ import annotations

import fcntl
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.cases.alerts import alert
from tests.environment.database import MakeDatabase
from tests.environment.free_port import free_port
from tests.peers.webhook_server import WebhookServer, webhook_server
from trading_lib.adapters.services.folders import StackFolders
from trading_lib.adapters.stores.operations.alert_store import AlertStore
from trading_lib.adapters.stores.postgres.database import connect
from trading_lib.monitoring.alert import Alert, AlertLevel
from trading_lib.monitoring.config import MonitoringConfig
from trading_lib.workflows.alerts.commands import acknowledge, list_alerts
from trading_lib.workflows.alerts.service import AlertService
from trading_lib.workflows.operations.alerting import LOCK_FILE, Place, raise_alert

ALERT = Alert(AlertLevel.CRITICAL, "backup failed", "password=hunter2", source="backup", key="backup:failed")
QUICK = MonitoringConfig.model_validate({"alerts": {"rate_limit": {"messages": 100}}, "send_seconds": 5})


def variables(home: Path, **more: str) -> dict[str, str]:
    return {"TRADING_HOME": str(home), **more}


@pytest.fixture
def webhook() -> Iterator[WebhookServer]:
    with webhook_server() as server:
        yield server


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Senders that would have been started."""
    commands: list[Any] = []
    monkeypatch.setattr(subprocess, "Popen", lambda command, **_: commands.append(command))
    return commands


def serve(found: dict[str, str], config: MonitoringConfig = QUICK, steps: int = 400) -> bool:
    """Run the sender until it has nothing to do."""

    def sleep(seconds: float) -> None:
        nonlocal steps
        steps -= 1
        if steps < 0:
            raise TimeoutError("the sender does not end")
        threading.Event().wait(min(seconds, 0.01))

    return AlertService(Place.locate(variables=found), config, watch=False, sleep=sleep).run()


def only_first_step(found: dict[str, str]) -> None:
    """Acknowledge everything, so that nothing waits for its escalation."""
    acknowledge([], True, "ana", "", Place.locate(variables=found))


def test_without_channels_an_alert_is_kept_without_secrets(tmp_path: Path) -> None:
    raise_alert(ALERT, variables=variables(tmp_path))
    (file,) = (tmp_path / "mail").glob("*.txt")
    assert "password=***" in file.read_text()


def test_a_home_that_cannot_be_written_raises_nothing(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file")
    raise_alert(ALERT, variables=variables(tmp_path / "home"))


def test_a_broken_configuration_keeps_no_alert_back(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "monitoring.yaml").write_text("alerts: {chanels: {}}")
    raise_alert(ALERT, variables=variables(tmp_path, TRADING_CONFIG=str(tmp_path / "config")))
    assert list((tmp_path / "mail").glob("*.txt"))


def test_a_database_that_does_not_answer_costs_less_than_a_second(
    tmp_path: Path, webhook: WebhookServer, started: list[Any]
) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"postgresql://u@127.0.0.1:{silent.getsockname()[1]}/trading"
        found = variables(tmp_path, TRADING_DATABASE_URL=url, TRADING_ALERT_WEBHOOK_URL=webhook.address)
        began = time.monotonic()
        raise_alert(ALERT, variables=found)
        assert time.monotonic() - began < 1.5  # a second, and what a busy machine adds
    assert len(list((tmp_path / "alerts").glob("*.json"))) == 1
    assert [command[-2:] for command in started] == [["alerts", "send"]]


def test_a_sender_that_runs_is_not_started_again(tmp_path: Path, webhook: WebhookServer, started: list[Any]) -> None:
    folder = StackFolders.locate(variables(tmp_path)).closed("alerts")
    with (folder / LOCK_FILE).open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        raise_alert(ALERT, variables=variables(tmp_path, TRADING_ALERT_WEBHOOK_URL=webhook.address))
        assert serve(variables(tmp_path)) is False
    assert started == []


def test_a_channel_that_does_not_answer_costs_who_raises_nothing(
    tmp_path: Path, webhook: WebhookServer, started: list[Any]
) -> None:
    webhook.released.clear()
    began = time.monotonic()
    raise_alert(ALERT, variables=variables(tmp_path, TRADING_ALERT_WEBHOOK_URL=webhook.address))
    assert time.monotonic() - began < 1.5
    assert webhook.asked == 0


def test_while_the_database_is_away_alerts_are_sent_from_files(
    tmp_path: Path, webhook: WebhookServer, started: list[Any]
) -> None:
    url = f"postgresql://u@127.0.0.1:{free_port(1)}/trading"
    found = variables(tmp_path, TRADING_DATABASE_URL=url, TRADING_ALERT_WEBHOOK_URL=webhook.address)
    raise_alert(alert(1, AlertLevel.WARNING), variables=found)
    assert serve(found)
    assert webhook.titles == ["WARNING: fault 1"]
    assert serve(found)
    assert len(webhook.posts) == 1


@pytest.mark.postgres
def test_what_was_sent_from_files_is_in_the_database_later_and_not_sent_again(
    tmp_path: Path, webhook: WebhookServer, started: list[Any], make_database: MakeDatabase
) -> None:
    away = f"postgresql://u@127.0.0.1:{free_port(1)}/trading"
    found = variables(tmp_path, TRADING_DATABASE_URL=away, TRADING_ALERT_WEBHOOK_URL=webhook.address)
    raise_alert(alert(1, AlertLevel.WARNING), variables=found)
    serve(found)
    found["TRADING_DATABASE_URL"] = make_database()
    raise_alert(alert(2, AlertLevel.WARNING), variables=found)
    assert serve(found)
    assert webhook.titles == ["WARNING: fault 1", "WARNING: fault 2"]
    listed = list_alerts(False, 10, Place.locate(variables=found))["alerts"]
    assert sorted(entry["title"] for entry in listed) == ["fault 1", "fault 2"]
    assert {delivery["state"] for entry in listed for delivery in entry["deliveries"]} == {"sent"}
    assert not list((tmp_path / "alerts").glob("*.json"))


@pytest.mark.postgres
def test_an_acknowledged_alert_lets_the_sender_end(
    tmp_path: Path, webhook: WebhookServer, started: list[Any], database_url: str
) -> None:
    found = variables(tmp_path, TRADING_DATABASE_URL=database_url, TRADING_ALERT_WEBHOOK_URL=webhook.address)
    raise_alert(ALERT, variables=found)
    assert [command[-1] for command in started] == ["send"]
    with pytest.raises(TimeoutError):
        serve(found, steps=150)
    assert webhook.titles == ["CRITICAL: backup failed"]
    only_first_step(found)
    assert serve(found)
    (entry,) = list_alerts(False, 10, Place.locate(variables=found))["alerts"]
    assert [delivery["state"] for delivery in entry["deliveries"]] == ["sent", "not needed", "not needed"]
    assert list_alerts(True, 10, Place.locate(variables=found))["alerts"] == []


@pytest.mark.postgres
def test_with_a_sender_at_the_database_no_other_is_started(
    tmp_path: Path, webhook: WebhookServer, started: list[Any], database_url: str
) -> None:
    engine = connect(database_url)
    found = variables(tmp_path, TRADING_DATABASE_URL=database_url, TRADING_ALERT_WEBHOOK_URL=webhook.address)
    with AlertStore(engine).only_sender() as alone:
        assert alone
        raise_alert(ALERT, variables=found)
        assert serve(found)
    engine.dispose()
    assert started == []
    assert webhook.posts == []


@pytest.mark.postgres
def test_an_older_schema_is_served_from_files(tmp_path: Path, empty_database_url: str) -> None:
    raise_alert(ALERT, variables=variables(tmp_path, TRADING_DATABASE_URL=empty_database_url))
    assert list((tmp_path / "mail").glob("*.txt"))


@pytest.mark.postgres
def test_a_sender_that_starts_anew_keeps_to_the_limit(
    tmp_path: Path, webhook: WebhookServer, started: list[Any], database_url: str
) -> None:
    found = variables(tmp_path, TRADING_DATABASE_URL=database_url, TRADING_ALERT_WEBHOOK_URL=webhook.address)
    raise_alert(alert(1, AlertLevel.WARNING), variables=found)
    assert serve(found, MonitoringConfig())
    raise_alert(alert(2, AlertLevel.WARNING), variables=found)
    with pytest.raises(TimeoutError):
        serve(found, MonitoringConfig(), steps=50)
    assert webhook.titles == ["WARNING: fault 1"]


def test_a_key_from_a_file_is_struck_out_of_what_is_stored(tmp_path: Path, started: list[Any]) -> None:
    (tmp_path / "slack").write_text("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazk")
    found = variables(tmp_path, TRADING_ALERT_SLACK_URL_FILE=str(tmp_path / "slack"))
    raise_alert(Alert(AlertLevel.CRITICAL, "no", "no answer of /TIiajkdnlazk", "test", "test"), variables=found)
    (path,) = (tmp_path / "alerts").glob("*.json")
    assert "no answer of /***" in path.read_text()
    assert len(started) == 1


@pytest.mark.postgres
def test_hostile_texts_reach_the_database_and_cost_no_time(
    tmp_path: Path, started: list[Any], database_url: str
) -> None:
    found = variables(tmp_path, TRADING_DATABASE_URL=database_url)
    began = time.monotonic()
    raise_alert(Alert(AlertLevel.INFO, "T" * 1_000_000, "t" * 1_000_000, "test", "k" * 20_000), variables=found)
    raise_alert(Alert(AlertLevel.INFO, "a \0 \x1b[31m", "b \udcff\npassword=hunter2", "test", "\0"), variables=found)
    assert time.monotonic() - began < 5
    second, first = list_alerts(False, 10, Place.locate(variables=found))["alerts"]
    assert len(first["title"]) < 400
    assert first["text"].endswith("[cut off, 1,000,000 characters]")
    assert (second["title"], second["text"]) == ("a \ufffd \ufffd[31m", "b \ufffd\npassword=***")
    assert not list((tmp_path / "alerts").glob("*.json"))


@pytest.mark.postgres
def test_a_file_that_the_database_does_not_take_holds_up_no_other(
    tmp_path: Path, webhook: WebhookServer, started: list[Any], database_url: str
) -> None:
    found = variables(tmp_path, TRADING_DATABASE_URL=database_url, TRADING_ALERT_WEBHOOK_URL=webhook.address)
    spool = Place.locate(variables=found).spool()
    now, window = datetime.now(UTC), timedelta(minutes=60)
    spool.add(Alert(AlertLevel.INFO, "a \0", "text", "test", "1"), now, window, "1" * 32)
    spool.add(alert(2, AlertLevel.WARNING), now, window, "2" * 32)
    assert serve(found)
    assert webhook.titles == ["WARNING: fault 2"]
    assert len(list((tmp_path / "alerts").glob("*.broken"))) == 1


def test_what_cannot_be_read_among_the_files_holds_up_no_alert(
    tmp_path: Path, webhook: WebhookServer, started: list[Any]
) -> None:
    found = variables(tmp_path, TRADING_ALERT_WEBHOOK_URL=webhook.address)
    folder = StackFolders.locate(found).closed("alerts")
    (folder / "folder.json").mkdir()
    (folder / "link.json").symlink_to(tmp_path / "nowhere")
    (folder / "cut.json").write_text('{"alert": {')
    raise_alert(alert(1, AlertLevel.WARNING), variables=found)
    assert serve(found)
    assert webhook.titles == ["WARNING: fault 1"]
