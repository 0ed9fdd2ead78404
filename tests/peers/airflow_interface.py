"""A loopback server with scripted answers, for what a healthy Airflow does not do on demand.

How the client gets on with a real Airflow is the end-to-end test's business.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

RUN_ID = "paper__2021-03-05__0"
DETAILS = f"/api/v2/dags/risk_approval/dagRuns/{RUN_ID}/taskInstances/approval/-1/hitlDetails"


class _Handler(BaseHTTPRequestHandler):
    server: AirflowPeer

    def do_GET(self) -> None:
        self._answer()

    do_POST = do_PATCH = do_PUT = do_GET

    def log_message(self, *arguments: Any) -> None:
        """Stay silent."""

    def _answer(self) -> None:
        sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if sent:
            self.server.bodies.append(json.loads(sent))
        path = self.path.split("?")[0]
        self.server.requests.append(f"{self.command} {path}")
        answers = self.server.answers.get(f"{self.command} {path}", [(404, {"detail": "not here"})])
        status, body = answers.pop(0) if len(answers) > 1 else answers[0]
        content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


class AirflowPeer(ThreadingHTTPServer):
    """``answers``: "METHOD /path" -> (status, body) in order; the last one is repeated.

    ``requests``: what came. ``bodies``: the contents of those that had one.
    """

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: dict[str, list[tuple[int, Any]]] = {"POST /auth/token": [(201, {"access_token": "t"})]}
        self.requests: list[str] = []
        self.bodies: list[Any] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


@contextmanager
def airflow_peer() -> Iterator[AirflowPeer]:
    """Run the server for the duration of a block."""
    with AirflowPeer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def details(option: str | None, **changed: Any) -> tuple[int, dict[str, Any]]:
    """hitlDetails as Airflow 3.3.2 gives them; ``option`` is None before the answer."""
    answered = option is not None
    body = {
        "options": ["Approve", "Reject"],
        "chosen_options": [option] if answered else None,
        "params_input": {"note": "crash understood"} if answered else {},
        "responded_at": "2021-03-06T09:30:00Z" if answered else None,
        "responded_by_user": {"id": "1", "name": "alice"} if answered else None,
        "response_received": answered,
        "task_instance": {"state": "failed"},
    }
    return 200, body | changed


def stack_environment(folder: Path, server: str, users: str = "viewer:viewer,admin:admin") -> dict[str, str]:
    """The variables that `trading stack up` and docker-compose.yaml give every task."""
    passwords = folder / "passwords.json"
    passwords.write_text(json.dumps({"admin": "hunter2"}))
    return {
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{server}/execution/",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": users,
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
        # The address of the user's browser, which no container can reach.
        "AIRFLOW__API__BASE_URL": "http://localhost:1",
    }
