"""The kill switch of this installation; needs neither configuration nor database."""

from __future__ import annotations

import os

from trading_lib.adapters.files.kill_switch import KillSwitch
from trading_lib.adapters.services.folders import StackFolders

KILL_SWITCH_FILE = "kill-switch"


def kill_switch(folders: StackFolders | None = None) -> KillSwitch:
    """Return the kill switch below the home folder."""
    return KillSwitch((folders or StackFolders.locate(os.environ)).home / KILL_SWITCH_FILE)
