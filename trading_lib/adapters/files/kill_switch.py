"""The kill switch: a file, so that it works with the database and Airflow down, and survives a restart."""

from __future__ import annotations

import fcntl
import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from trading_lib.adapters.files.output_file import write_whole

LOG = logging.getLogger(__name__)
UNREADABLE = "unreadable file"


@dataclass(frozen=True, slots=True)
class SwitchState:
    """What the switch says.

    Attributes
    ----------
    reason, since
        Of whoever turned it on first; "" where the file does not say.
    cancel_working
        Whether orders that work at real brokers are to be cancelled.
    allow_reducing
        Whether orders that reduce risk are sent all the same.
    """

    on: bool = False
    reason: str = ""
    since: str = ""
    cancel_working: bool = False
    allow_reducing: bool = False

    def halts(self, reducing: bool) -> bool:
        """Whether an order may not be sent.

        Parameters
        ----------
        reducing
            Whether it reduces risk.
        """
        return self.on and not (reducing and self.allow_reducing)


OFF = SwitchState()


@dataclass(frozen=True, slots=True)
class KillSwitch:
    """Trading is halted while the file exists, whatever it holds: an unreadable switch is on and allows nothing."""

    path: Path

    def is_on(self) -> bool:
        """Whether trading is halted."""
        return os.path.lexists(self.path)

    def state(self) -> SwitchState:
        """Return what the file says; an order is judged by one reading of it."""
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            # A link into nowhere, or a file that came back just now, is a switch all the same.
            return SwitchState(on=True, reason=UNREADABLE) if self.is_on() else OFF
        except (OSError, ValueError):
            return SwitchState(on=True, reason=UNREADABLE)
        if not isinstance(content, dict):
            return SwitchState(on=True, reason=UNREADABLE)
        return SwitchState(
            on=True,
            reason=str(content.get("reason", "")),
            since=str(content.get("since", "")),
            cancel_working=content.get("cancel_working") is True,
            allow_reducing=content.get("allow_reducing") is True,
        )

    def turn_on(
        self, reason: str, now: datetime, cancel_working: bool = False, allow_reducing: bool | None = None
    ) -> SwitchState:
        """Halt trading and return what was before; turning it on again keeps the first reason.

        Parameters
        ----------
        cancel_working
            Adds the wish to cancel; one that stands is never taken back.
        allow_reducing
            None leaves it as it is, which is not allowed in a new switch.
        """
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._alone():
            before = self.state()
            content: dict[str, Any] = {
                "reason": before.reason if before.on else reason,
                "since": before.since if before.on else now.isoformat(),
                "cancel_working": before.cancel_working or cancel_working,
                "allow_reducing": before.allow_reducing if allow_reducing is None else allow_reducing,
            }
            try:
                write_whole(self.path, json.dumps(content).encode())
            except OSError:
                # A full disk still takes a file without content, and that is a switch.
                self.path.touch()
        if not before.on:
            LOG.warning("kill switch on: %s", reason)
        return before

    def turn_off(self) -> None:
        """Allow trading again."""
        was_on = self.is_on()
        self.path.unlink(missing_ok=True)
        if was_on:
            LOG.warning("kill switch off")

    def describe(self) -> dict[str, object]:
        """State, reason, time and wishes."""
        state = self.state()
        if not state.on:
            return {"on": False}
        return {
            "on": True,
            "reason": state.reason,
            **({"since": state.since} if state.since else {}),
            "cancel_working": state.cancel_working,
            "allow_reducing": state.allow_reducing,
        }

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Let two that turn it on at once do so one after the other."""
        folder = os.open(self.path.parent, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)
