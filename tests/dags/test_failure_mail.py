"""A failed task reaches a person: by a real mail when there is a server, by a file when there is none."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.peers.smtp_server import SmtpPeer, smtp_peer

pytestmark = pytest.mark.airflow


def failed(error: BaseException | None, map_index: int = -1) -> dict[str, Any]:
    """The part of a task's context that a failure callback gets."""
    instance = SimpleNamespace(
        dag_id="market_data",
        task_id="ingest",
        run_id="scheduled__2022-06-15",
        try_number=3,
        map_index=map_index,
        log_url="http://127.0.0.1:8080/dags/market_data",
    )
    return {"task_instance": instance, "ti": instance, "exception": error, "dag": None}


@pytest.fixture(name="mail_folder")
def fixture_mail_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TRADING_HOME", str(tmp_path))
    monkeypatch.delenv("TRADING_ALERT_EMAIL", raising=False)
    monkeypatch.delenv("AIRFLOW_CONN_SMTP_DEFAULT", raising=False)
    return tmp_path / "mail"


def connect_to(peer: SmtpPeer, monkeypatch: pytest.MonkeyPatch) -> None:
    connection = {
        "conn_type": "smtp",
        "host": "127.0.0.1",
        "port": peer.port,
        "extra": {
            "from_email": "trading@example.com",
            "disable_ssl": True,
            "disable_tls": True,
            "retry_limit": 1,
            "timeout": 5,
        },
    }
    monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps(connection))
    monkeypatch.setenv("TRADING_ALERT_EMAIL", "person@example.com")


def written(folder: Path) -> str:
    return "\n".join(path.read_text() for path in sorted(folder.glob("*.txt")))


def test_mail_goes_to_the_configured_server(mail_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from failure_mail import notify_failure

    with smtp_peer() as peer:
        connect_to(peer, monkeypatch)
        notify_failure(failed(ValueError("no bar of SPY"), map_index=2))
    [message] = peer.messages
    assert message["To"] == "person@example.com"
    assert message["From"] == "trading@example.com"
    assert message["Subject"] == "[trading] market_data.ingest[2] failed"
    [part] = [part for part in message.walk() if part.get_content_type() == "text/html"]
    body = bytes(part.get_payload(decode=True)).decode()
    assert "ValueError: no bar of SPY" in body
    assert "scheduled__2022-06-15 (try 3)" in body
    assert not mail_folder.exists()


def test_an_error_that_looks_like_a_template_or_html_is_shown_not_run(
    mail_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from failure_mail import notify_failure

    with smtp_peer() as peer:
        connect_to(peer, monkeypatch)
        notify_failure(failed(ValueError("{{ 6 * 7 }} <script>")))
    [part] = [part for part in peer.messages[0].walk() if part.get_content_type() == "text/html"]
    body = bytes(part.get_payload(decode=True)).decode()
    assert "{{ 6 * 7 }} &lt;script&gt;" in body


def test_without_a_connection_the_same_text_is_kept(mail_folder: Path) -> None:
    from failure_mail import failure_text, notify_failure

    context = failed(ValueError("no bar of SPY"))
    notify_failure(context)
    assert failure_text(context) in written(mail_folder)
    assert "not mailed" in written(mail_folder)


def test_the_mail_of_a_task_that_ended_in_one_line_names_the_error_itself() -> None:
    from failure_mail import failure_text
    from pipeline_tasks import Refused, plainly

    from trading_lib.domain.errors import InputError

    @plainly
    def task() -> None:
        raise InputError("unknown parameter 'sesion'", "use session")

    with pytest.raises(Refused) as caught:
        task()
    assert "Error: InputError: unknown parameter 'sesion': use session\n" in failure_text(failed(caught.value))


def test_a_mapped_task_is_named_by_what_it_worked_on() -> None:
    from failure_mail import failure_text

    context = failed(ValueError("no bar"), map_index=0)
    context["task_instance"].rendered_map_index = "etf"
    assert "Task:  market_data.ingest[etf]\n" in failure_text(context)


def test_a_server_that_refuses_loses_nothing(mail_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from failure_mail import notify_failure

    with smtp_peer() as peer:
        peer.refusing = True
        connect_to(peer, monkeypatch)
        notify_failure(failed(ValueError("no bar of SPY")))
    assert peer.messages == []
    assert "no bar of SPY" in written(mail_folder)


def test_a_connection_without_recipient_says_so(mail_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from failure_mail import notify_failure

    with smtp_peer() as peer:
        connect_to(peer, monkeypatch)
        monkeypatch.delenv("TRADING_ALERT_EMAIL")
        notify_failure(failed(None))
    assert peer.messages == []
    assert "TRADING_ALERT_EMAIL" in written(mail_folder)


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("cannot reach postgresql://trading:hunter2@db/trading", "hunter2"),
        ("rejected: api_key=hunter2, try again", "hunter2"),
        ("ALPACA_SECRET_KEY: hunter2", "hunter2"),
    ],
)
def test_secrets_stay_out(mail_folder: Path, text: str, secret: str) -> None:
    from failure_mail import notify_failure

    notify_failure(failed(RuntimeError(text)))
    content = written(mail_folder)
    assert "RuntimeError" in content
    assert secret not in content
