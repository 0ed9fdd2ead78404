"""`trading alerts`: what was told, who knows of it, and a test of the channels."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.cases.alerts import NOON, alert
from tests.environment.command_line import run
from tests.peers.webhook_server import SECRET, WebhookServer, webhook_server
from trading_lib.adapters.stores.operations.alert_store import AlertStore
from trading_lib.adapters.stores.postgres.database import connect
from trading_lib.monitoring.alert import AlertLevel
from trading_lib.monitoring.escalation import PlannedDelivery


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TRADING_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def webhook(monkeypatch: pytest.MonkeyPatch) -> Iterator[WebhookServer]:
    with webhook_server() as server:
        monkeypatch.setenv("TRADING_ALERT_WEBHOOK_URL", server.address)
        yield server


@pytest.fixture
def store(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[AlertStore]:
    """Two alerts: one was sent and escalates, the other failed."""
    monkeypatch.setenv("TRADING_DATABASE_URL", database_url)
    engine = connect(database_url)
    found = AlertStore(engine)
    for number in (1, 2):
        found.add(alert(number), NOON, timedelta(hours=1))
    first, second = found.unplanned()
    later = NOON + timedelta(minutes=5)
    found.plan(first.reference, [PlannedDelivery(1, "slack", NOON), PlannedDelivery(2, "mail", later)])
    found.note_sent(found.waiting(NOON), NOON)
    found.plan(second.reference, [PlannedDelivery(1, "slack", NOON)])
    found.note_failed(found.waiting(NOON), "no answer", later)
    yield found
    engine.dispose()


@pytest.mark.postgres
def test_alerts_are_listed_with_what_became_of_them(store: AlertStore, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("alerts", "list") == 0
    second, first = capsys.readouterr().out.splitlines()
    assert first.endswith("critical   fault 1; sent: slack; due 12:05: mail")
    assert second.endswith("critical   fault 2; failed 12:00: slack (no answer)")
    assert run("alerts", "list", "--limit", "1", "--json") == 0
    (entry,) = json.loads(capsys.readouterr().out)["alerts"]
    assert (entry["title"], entry["deliveries"][0]["attempts"]) == ("fault 2", 1)


@pytest.mark.postgres
def test_an_acknowledged_alert_is_no_longer_open(store: AlertStore, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("alerts", "ack", "1", "--by", "ana", "--note", "on it") == 0
    assert run("alerts", "list", "--open") == 0
    shown = capsys.readouterr().out
    assert "acknowledged by ana: 1" in shown
    assert "fault 1" not in shown
    assert run("alerts", "ack", "--all", "--by", "ben", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"acknowledged": [2], "by": "ben"}
    assert run("alerts", "ack", "--all") == 0
    assert "nothing: all of them were before" in capsys.readouterr().out


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "say which alerts"),
        (["1", "--all"], "say which alerts"),
        (["77"], "there is no alert 77"),
        (["1", "--by", " "], "needs the name"),
    ],
)
def test_what_cannot_be_acknowledged_changes_nothing(
    store: AlertStore, arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("alerts", "ack", *arguments) == 2
    assert told in capsys.readouterr().err
    assert [record.acknowledgement for record in store.records()] == [None, None]


def test_a_test_reaches_every_channel(webhook: WebhookServer, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("alerts", "test", "--level", "emergency", "--json") == 0
    assert json.loads(capsys.readouterr().out)["deliveries"] == [{"channel": "webhook", "problem": ""}]
    assert webhook.titles == ["EMERGENCY: test of the alerts"]


def test_a_channel_that_refuses_is_a_finding(webhook: WebhookServer, capsys: pytest.CaptureFixture[str]) -> None:
    webhook.status = 500
    assert run("alerts", "test", "--channel", "webhook") == 1
    shown = capsys.readouterr()
    assert "webhook: send failed: Failed to send JSON" in shown.out
    assert SECRET not in shown.out + shown.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [(["--level", "loud"], "there is no level 'loud'"), (["--channel", "slack"], "the channel 'slack' is not set up")],
)
def test_a_level_or_channel_that_is_none_is_bad_input(
    webhook: WebhookServer, arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("alerts", "test", *arguments) == 2
    assert told in capsys.readouterr().err
    assert webhook.posts == []


def test_without_a_channel_the_test_goes_into_the_file(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("alerts", "test") == 0
    assert "file: sent" in capsys.readouterr().out
    assert list((home / "mail").glob("*.txt"))


@pytest.mark.postgres
def test_sending_ends_when_nothing_is_left(
    webhook: WebhookServer,
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("TRADING_DATABASE_URL", database_url)
    engine = connect(database_url)
    AlertStore(engine).add(alert(1, AlertLevel.WARNING), NOON, timedelta(hours=1))
    assert run("alerts", "send") == 0
    assert webhook.titles == ["WARNING: fault 1"]
    assert "sent" in capsys.readouterr().out
    with AlertStore(engine).only_sender():
        assert run("alerts", "send", "--json") == 0
    engine.dispose()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("alerts: {channels: {slack: {url_in: 'slack://hunter2/hunter2/hunter2'}}}", "never the address itself"),
        ("alerts: {warning: [pigeon]}", "warning names the channel 'pigeon'"),
        ("alerts: {rate_limit: {messages: 0}}", "alerts.rate_limit.messages"),
        (
            "alerts: {escalation: {level_2: {delay_minutes: 30, channels: [mail]}}}",
            "delay_minutes must not fall from level_1 to level_3",
        ),
        ("alerts: {chanels: {}}", "unknown key alerts.chanels"),
    ],
)
def test_a_configuration_that_cannot_be_is_told_without_a_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "monitoring.yaml").write_text(content)
    monkeypatch.setenv("TRADING_CONFIG", str(tmp_path))
    assert run("alerts", "test") == 2
    shown = capsys.readouterr().err
    assert told in shown
    assert "hunter2" not in shown
