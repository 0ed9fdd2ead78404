"""A failed task reaches the operator: by a real mail when there is a server, by a file when there is none."""

from __future__ import annotations

import html
import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.contracts.notifier_contract import NotifierContract
from tests.peers.smtp_server import SmtpPeer, smtp_peer
from trading_lib.monitoring.notifier import Notifier

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


@pytest.fixture
def own_notifier(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A notifier of the user's own that writes into a file beside its own; returns its folder."""
    folder = tmp_path / "include"
    (folder / "config").mkdir(parents=True)
    (folder / "notifiers").mkdir()
    (folder / "config" / "monitoring.yaml").write_text("notifiers: [own.py:Own]\nsend_seconds: 30\n")
    source = """
from pathlib import Path


class Own:
    def send(self, message):
        told = f"{message.level} {message.title}|{message.text}|{message.link}"
        Path(__file__).with_name("sent.txt").write_text(told)
"""
    (folder / "notifiers" / "own.py").write_text(source)
    monkeypatch.setenv("TRADING_CONFIG", str(folder / "config"))
    return folder / "notifiers"


def test_a_notifier_of_ones_own_is_told_beside_the_mail(mail_folder: Path, own_notifier: Path) -> None:
    from failure_mail import notify_failure

    notify_failure(failed(ValueError("api_key=hunter2")))
    sent = (own_notifier / "sent.txt").read_text()
    assert sent.startswith("critical market_data.ingest failed|Task:  market_data.ingest\n")
    assert sent.endswith("|http://127.0.0.1:8080/dags/market_data")
    assert "hunter2" not in sent


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("from pathlib", "import no_such_module\nfrom pathlib", "No module named 'no_such_module'"),
        ("def send", "def post", "has no method send(message)"),
        ("        told", "        raise SystemExit(2)\n        told", "send failed: SystemExit in line 7"),
    ],
)
def test_one_that_is_broken_is_noted_and_hides_nothing(
    mail_folder: Path, own_notifier: Path, before: str, after: str, told: str
) -> None:
    from failure_mail import notify_failure

    path = own_notifier / "own.py"
    path.write_text(path.read_text().replace(before, after))
    notify_failure(failed(ValueError("no bar of SPY")))
    content = written(mail_folder)
    assert "own.py:Own: " in content or "notifier" in content
    assert told in content
    assert "no bar of SPY" in content


def test_one_that_does_not_answer_holds_nothing_up(
    mail_folder: Path, own_notifier: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from failure_mail import notify_failure

    (own_notifier.parent / "config" / "monitoring.yaml").write_text("notifiers: [own.py:Own]\nsend_seconds: 0.05\n")
    path = own_notifier / "own.py"
    path.write_text(
        path.read_text().replace("        told", "        __import__('threading').Event().wait()\n        told")
    )
    notify_failure(failed(ValueError("no bar of SPY")))
    assert "own.py:Own: send gave no answer within 0.05 s" in written(mail_folder)


def test_a_broken_configuration_is_noted(mail_folder: Path, own_notifier: Path) -> None:
    from failure_mail import notify_failure

    (own_notifier.parent / "config" / "monitoring.yaml").write_text("notifers: []\n")
    notify_failure(failed(ValueError("no bar of SPY")))
    assert "unknown key notifers" in written(mail_folder)


class TestAirflowMail(NotifierContract):
    """Mail through Airflow is a notifier like any other."""

    peer: SmtpPeer

    @pytest.fixture
    def notifier(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[Notifier]:
        from failure_mail import AirflowMail

        with smtp_peer() as peer:
            connect_to(peer, monkeypatch)
            self.peer = peer
            yield AirflowMail(failed(None))

    def arrived(self) -> list[str]:
        parts = [part for message in self.peer.messages for part in message.walk()]
        pages = [part for part in parts if part.get_content_type() == "text/html"]
        return [html.unescape(bytes(page.get_payload(decode=True)).decode()) for page in pages]
