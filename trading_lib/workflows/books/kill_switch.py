"""The kill switch of this installation; needs neither configuration nor database."""

from __future__ import annotations

import os
from datetime import datetime

from trading_lib.adapters.files.kill_switch import KillSwitch
from trading_lib.adapters.services.folders import StackFolders

KILL_SWITCH_FILE = "kill-switch"


def kill_switch(folders: StackFolders | None = None) -> KillSwitch:
    """Return the kill switch below the home folder."""
    return KillSwitch((folders or StackFolders.locate(os.environ)).home / KILL_SWITCH_FILE)


def halt_trading(
    reason: str,
    now: datetime,
    folders: StackFolders | None = None,
    cancel_working: bool = False,
    allow_reducing: bool | None = None,
) -> KillSwitch:
    """Throw the kill switch, and tell a person when it was not thrown before.

    Parameters
    ----------
    cancel_working, allow_reducing
        As of `KillSwitch.turn_on`. The wish to cancel stands in the file; whoever watches orders acts on it.
    """
    from trading_lib.monitoring.alert import Alert, AlertLevel
    from trading_lib.workflows.operations.alerting import raise_alert

    switch = kill_switch(folders)
    before = switch.turn_on(reason, now, cancel_working, allow_reducing)
    if not before.on:
        text = f"Trading is halted: {reason}\nNo order is sent until it is off: trading kill-switch off"
        key = f"kill-switch:{now.isoformat()}"
        raise_alert(Alert(AlertLevel.CRITICAL, "kill switch on: trading is halted", text, "kill-switch", key))
    return switch
