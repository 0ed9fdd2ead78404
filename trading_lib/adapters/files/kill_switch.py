"""The kill switch: a file, so that it works with the database and Airflow down."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from trading_lib.adapters.files.output_file import write_whole

LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class KillSwitch:
    """Trading is halted while the file exists, whatever it holds: an unreadable switch counts as on."""

    path: Path

    def is_on(self) -> bool:
        """Whether trading is halted."""
        return self.path.exists()

    def turn_on(self, reason: str, now: datetime) -> None:
        """Halt trading; turning it on again keeps the first reason."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not self.is_on():
            write_whole(self.path, json.dumps({"reason": reason, "since": now.isoformat()}).encode())
            LOG.warning("kill switch on: %s", reason)

    def turn_off(self) -> None:
        """Allow trading again."""
        was_on = self.is_on()
        self.path.unlink(missing_ok=True)
        if was_on:
            LOG.warning("kill switch off")

    def describe(self) -> dict[str, object]:
        """State, reason and time."""
        if not self.is_on():
            return {"on": False}
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            content = None
        details = content if isinstance(content, dict) else {"reason": "unreadable file"}
        return {**details, "on": True}
