"""A probe of a user's own is one file: docs/operations/heartbeat.md's example, and broken ones are told."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.contracts.probe_contract import ProbeContract, make_context
from tests.environment.free_port import free_port
from trading_lib.adapters.alerts.own_probes import create_probe
from trading_lib.domain.errors import ConfigurationError
from trading_lib.monitoring.alert import Alert
from trading_lib.monitoring.config import MonitoringConfig
from trading_lib.monitoring.probe import Probe, ProbeContext
from trading_lib.workflows.operations.heartbeat import Beat, load_heartbeat, look

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "docs" / "examples" / "broker_page.py"
NAME = "broker_page.py:BrokerPage"


class _Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), _Page) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def example(url: str) -> Probe:
    (entry,) = MonitoringConfig.model_validate({"probes": [{"probe": NAME, "options": {"url": url}}]}).probes
    return create_probe(entry, EXAMPLE.parent)


class TestBrokerPage(ProbeContract):
    @pytest.fixture
    def well(self, address: str, tmp_path: Path) -> tuple[Probe, ProbeContext]:
        return example(address), make_context(tmp_path)

    @pytest.fixture
    def ill(self, tmp_path: Path) -> tuple[Probe, ProbeContext]:
        return example(f"http://127.0.0.1:{free_port(1)}/"), make_context(tmp_path)


def looked(tmp_path: Path, text: str, told: list[Alert], **heartbeat: Any) -> Beat:
    """One look with a user's probe of this text, without a database."""
    folders = tmp_path / "config", tmp_path / "probes"
    for folder in folders:
        folder.mkdir(exist_ok=True)
    (folders[1] / "mine.py").write_text(text)
    config = {"probes": ["mine.py:Mine"], "heartbeat": heartbeat}
    (folders[0] / "monitoring.yaml").write_text(yaml.safe_dump(config))
    environment = {"TRADING_HOME": str(tmp_path / "home"), "TRADING_CONFIG": str(folders[0])}
    return look(load_heartbeat(environment), told.append)


MINE = """
from trading_lib.monitoring.probe import Finding
class Mine:
    def check(self, context):
        {body}
"""


def test_an_own_probe_is_asked_and_its_finding_told(tmp_path: Path) -> None:
    told: list[Alert] = []
    looked(tmp_path, MINE.format(body="return [Finding('mine', 'Mine is ill', 'Help it.')]"), told)
    assert "Mine is ill" in [alert.title for alert in told]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("raise ValueError('hunter2')", "ValueError"),
        ("import sys; sys.exit(3)", "line 5"),
        ("return 7", "TypeError"),
        ("return ['ill']", "it returned str, no Finding"),
        ("import time; time.sleep(30)", "no answer within 0.5 s"),
        ("while True: pass", "no answer within 0.5 s"),
    ],
)
def test_a_broken_probe_is_told_and_hides_no_other(tmp_path: Path, body: str, said: str) -> None:
    if body.startswith("while"):
        body = "import time\n        while True: time.sleep(0.01)"
    told: list[Alert] = []
    looked(tmp_path, MINE.format(body=body), told, probe_seconds=0.5)
    (alert,) = (alert for alert in told if "Mine" in alert.title)
    assert said in alert.text
    assert "hunter2" not in alert.text
    assert any(alert.key == "heartbeat:database" for alert in told)


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("absent.py:Mine", "does not exist"),
        (f"{NAME}Two", "has no class"),
        ("broker_page.py:Finding", "has no method check"),
        (NAME, "cannot be created"),
    ],
)
def test_one_that_cannot_be_used_is_one_line(tmp_path: Path, reference: str, said: str) -> None:
    shutil.copy(EXAMPLE, tmp_path)
    (entry,) = MonitoringConfig.model_validate({"probes": [reference]}).probes
    with pytest.raises(ConfigurationError, match=said):
        create_probe(entry, tmp_path)


def test_a_reference_that_names_no_class_is_refused() -> None:
    with pytest.raises(ValueError, match="names no class"):
        MonitoringConfig.model_validate({"probes": ["mine.py"]})
