"""The broker simulator in a process of its own, which kills of the order path do not touch; and a way to steer it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Mapping
from datetime import datetime
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

from trading_lib.adapters.broker_simulator.ledger.judge import Judge
from trading_lib.adapters.broker_simulator.market.clock import Clock
from trading_lib.adapters.broker_simulator.server import serve
from trading_lib.adapters.broker_simulator.simulator import Simulator


class SimulatorProcess:
    """A simulator whose clock stands until it is moved, and whose ledger is a file.

    Parameters
    ----------
    ledger
        File of the ledger, of this simulator alone.
    at
        Where its clock stands at first.
    """

    def __init__(self, ledger: Path, seed: int, at: datetime) -> None:
        self.ledger = ledger
        reading, writing = os.pipe()
        self.process = os.fork()
        if self.process == 0:  # pragma: no cover - the child never reports
            try:
                signal.alarm(300)
                simulator = Simulator(seed, ledger, Clock(at))
                asyncio.run(serve(simulator, 0, lambda address: _tell(writing, address)))
            finally:
                os._exit(1)
        os.close(writing)
        with os.fdopen(reading, "rb") as told:
            self.address = told.read().decode()
        assert self.address, "the simulator did not start"

    def stop(self) -> None:
        """Kill it; what it booked is in its ledger."""
        os.kill(self.process, signal.SIGKILL)
        os.waitpid(self.process, 0)

    def judge(self) -> Judge:
        """Return the judge of what it has booked so far."""
        return Judge.of_file(self.ledger)

    def post(self, name: str, **asked: Any) -> dict[str, Any]:
        """Ask its control face for something."""
        return control(self.address, name, asked)

    def move_to(self, at: datetime) -> None:
        """Move its clock on; what lies between happens on the way."""
        self.post("clock", to=at.isoformat())

    def now(self) -> datetime:
        """Return its time."""
        return datetime.fromisoformat(control(self.address, "status")["now"].replace("Z", "+00:00"))


def control(address: str, name: str, asked: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Ask the control face of the simulator at ``address``: GET, or POST where something is ``asked``."""
    connection = HTTPConnection(address.removeprefix("http://"), timeout=30)
    try:
        body = None if asked is None else json.dumps(asked, default=str)
        connection.request("GET" if asked is None else "POST", f"/simulator/{name}", body)
        answer = connection.getresponse()
        content: dict[str, Any] = json.loads(answer.read())
        assert answer.status == 200, f"{name}: {content}"
        return content
    finally:
        connection.close()


def _tell(writing: int, address: str) -> None:
    os.write(writing, address.encode())
    os.close(writing)
