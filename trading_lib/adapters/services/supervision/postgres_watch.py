"""Restarts a database server that has died while the stack is up."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from trading_lib.adapters.services.folders import StackFolders
from trading_lib.adapters.services.supervision.records import Records
from trading_lib.adapters.stores.postgres.embedded_postgres import EmbeddedPostgres
from trading_lib.domain.errors import TradingError

POSTGRESQL = "postgresql"
LOOK_SECONDS = 2.0
LONGEST_PAUSE = 30.0
# The server outlives this process and belongs to no program of the supervisor: it inherits nothing else.
INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "USER", "LOGNAME", "XDG_RUNTIME_DIR")


def watch(folders: StackFolders, records: Records, sleep: Callable[[float], None] = time.sleep) -> None:
    """Look after the embedded server of this home until the process is ended.

    Starting takes the server's own lock, so that nothing happens while another command starts or stops it.
    """
    for name in [name for name in os.environ if name not in INHERITED]:
        del os.environ[name]
    server, pause = EmbeddedPostgres(folders.postgres), LOOK_SECONDS
    while True:
        sleep(pause)
        pause = look_after(server, records, pause)


def look_after(server: EmbeddedPostgres, records: Records, pause: float) -> float:
    """Start the server if it is down; return the seconds until the next look."""
    if server.is_running():
        return LOOK_SECONDS
    print("PostgreSQL is down: starting it", flush=True)
    try:
        server.start()
    except TradingError as error:
        print(f"{error}; trying again", flush=True)
        return min(LONGEST_PAUSE, pause * 2)
    records.note_restart(POSTGRESQL, time.time())
    print("PostgreSQL is up again", flush=True)
    return LOOK_SECONDS
