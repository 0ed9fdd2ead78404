"""A notifier of a user's own is one file: docs/operations/notifiers.md's example sends, and broken ones are told."""

from __future__ import annotations

import json
import os
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.contracts.notifier_contract import SHORT, NotifierContract
from tests.environment.command_line import run
from trading_lib.adapters.alerts.delivery import Delivery, deliver
from trading_lib.adapters.alerts.own_notifiers import create_notifier
from trading_lib.domain.errors import ConfigurationError
from trading_lib.monitoring.config import MonitoringConfig
from trading_lib.monitoring.notifier import Notifier
from trading_lib.workflows.operations.notifications import load_monitoring, notifier_makers

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "docs" / "examples" / "webhook.py"
NAME = "webhook.py:Webhook"
SECRET = "hunter2"


class Chat(HTTPServer):
    """A chat service's side of a webhook."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Posts)
        self.texts: list[str] = []
        self.refusing = False

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/{SECRET}"


class _Posts(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Chat)
        content = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not self.server.refusing:
            self.server.texts.append(content["text"])
        self.send_response(500 if self.server.refusing else 200)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def chat() -> Iterator[Chat]:
    with Chat() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def include(tmp_path: Path, chat: Chat, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration with the example in it; nothing else of the project is touched."""
    folder = tmp_path / "include"
    shutil.copytree(ROOT / "include" / "config", folder / "config")
    (folder / "notifiers").mkdir()
    shutil.copy(EXAMPLE, folder / "notifiers")
    name_notifiers(folder, [NAME])
    monkeypatch.setenv("TRADING_CONFIG", str(folder / "config"))
    monkeypatch.setenv("TRADING_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NOTIFY_WEBHOOK_URL", chat.address)
    return folder


def name_notifiers(include: Path, notifiers: list[Any]) -> None:
    path = include / "config" / "monitoring.yaml"
    path.write_text(yaml.safe_dump({"notifiers": notifiers, "send_seconds": 30}), encoding="utf-8")


def change(include: Path, before: str, after: str) -> None:
    path = include / "notifiers" / EXAMPLE.name
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after), encoding="utf-8")


class TestContract(NotifierContract):
    """The example keeps to what every notifier must."""

    chat: Chat

    @pytest.fixture
    def notifier(self, include: Path, chat: Chat) -> Notifier:
        self.chat = chat
        (entry,) = MonitoringConfig(notifiers=(NAME,)).notifiers  # type: ignore[arg-type]
        return create_notifier(entry, include / "notifiers")

    def arrived(self) -> list[str]:
        return self.chat.texts


def test_the_guide_shows_the_file_that_runs_here() -> None:
    assert EXAMPLE.read_text(encoding="utf-8") in (ROOT / "docs" / "operations" / "notifiers.md").read_text(
        encoding="utf-8"
    )


def test_the_command_sends_and_says_so(include: Path, chat: Chat, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("notify", "hello", "--text", "is anybody there", "--level", "warning", "--json") == 0
    assert json.loads(capsys.readouterr().out) == {"deliveries": [{"notifier": NAME, "problem": ""}]}
    assert chat.texts == ["[warning] hello\nis anybody there"]


def test_a_server_that_refuses_is_told_without_its_address(
    include: Path, chat: Chat, capsys: pytest.CaptureFixture[str]
) -> None:
    chat.refusing = True
    assert run("notify", "hello") == 1
    shown = capsys.readouterr()
    assert f"{NAME}: send failed: HTTPError in line " in shown.out
    assert SECRET not in shown.out + shown.err


def test_without_notifiers_it_is_said_how_to_name_one(include: Path, capsys: pytest.CaptureFixture[str]) -> None:
    name_notifiers(include, [])
    assert run("notify", "hello") == 0
    assert "no notifier is configured" in capsys.readouterr().out


BROKEN = [
    ("import json\n", "import json\nimport no_such_module\n", "No module named 'no_such_module' (line 6)"),
    ("class Webhook", "class Other", "has no class 'Webhook'"),
    ("def send", "def post", f"notifier {NAME} has no method send(message)"),
    ("address = os", "raise SystemExit(0)\n        address = os", f"notifier {NAME} cannot be created (SystemExit in"),
    ("address = os", "os._exit(0)\n        address = os", f"notifier {NAME} cannot be created (ProcessEndedError in"),
    ('os.environ[variable]', 'os.environ["NO_SUCH_VARIABLE"]', f"notifier {NAME} cannot be created (KeyError in line"),
]  # fmt: skip


@pytest.mark.parametrize(("before", "after", "told"), BROKEN)
def test_a_broken_one_is_one_line_and_exit_code_2(
    include: Path, capsys: pytest.CaptureFixture[str], before: str, after: str, told: str
) -> None:
    change(include, before, after)
    assert run("notify", "hello") == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert told in line
    assert "webhook.py" in line


@pytest.mark.parametrize("reference", ["mail", ":Webhook", "webhook.py:"])
def test_a_reference_that_is_none_is_refused(include: Path, capsys: pytest.CaptureFixture[str], reference: str) -> None:
    name_notifiers(include, [reference])
    assert run("notify", "hello") == 2
    assert f"{reference!r} names no class" in capsys.readouterr().err


def test_a_level_that_is_none_is_bad_usage(include: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("notify", "hello", "--level", "warn") == 2
    assert "did you mean warning" in capsys.readouterr().err


def test_one_that_cannot_be_created_keeps_nothing_from_the_others(include: Path, chat: Chat) -> None:
    name_notifiers(include, ["nobody.py:Nobody", NAME, {"notifier": NAME, "options": {"timeout": 9.0}}])
    config = load_monitoring()
    broken, *sent = deliver(SHORT, notifier_makers(config, os.environ), config.send_seconds)
    assert broken.notifier == "nobody.py:Nobody"
    assert "does not exist" in broken.problem
    assert sent == [Delivery(NAME), Delivery(f"{NAME} (entry 2)")]
    assert chat.texts == ["[info] a title\na text"] * 2


def test_a_broken_notifier_keeps_nobody_from_trading(include: Path, capsys: pytest.CaptureFixture[str]) -> None:
    change(include, "import json\n", "import no_such_module\n")
    assert run("backtest", "--from", "2006-01-03", "--to", "2006-02-28", "--no-track") == 0


def test_options_that_do_not_fit_are_told_by_name_without_their_values(include: Path) -> None:
    (entry,) = MonitoringConfig(notifiers=({"notifier": NAME, "options": {"key": SECRET}},)).notifiers  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match=r"cannot be created \(TypeError; options: key\)") as caught:
        create_notifier(entry, include / "notifiers")
    assert SECRET not in str(caught.value)
