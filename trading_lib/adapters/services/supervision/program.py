"""``python -m trading_lib.adapters.services.supervision.program NAME``: what the supervisor starts as program NAME.

It notes the start, ends what an earlier process of the same program has left, waits for the database, and then
becomes the program itself, under the same process number.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import psutil

from trading_lib.adapters.services.folders import StackFolders
from trading_lib.adapters.services.ports import ServicePorts
from trading_lib.adapters.services.processes import MARKER_VARIABLE
from trading_lib.adapters.services.supervision import airflow_schema, postgres_watch
from trading_lib.adapters.services.supervision.components import COMPONENT_VARIABLE, MLFLOW, WATCH, component
from trading_lib.adapters.services.supervision.records import Record, Records
from trading_lib.adapters.stores.postgres.database import connect, parse_url
from trading_lib.domain.errors import StorageUnavailableError

# So many starts within the window are taken for bad luck; every further one waits twice as long as the one before.
FREE_STARTS = 4
WINDOW_SECONDS = 600.0
FIRST_PAUSE, LONGEST_PAUSE = 5.0, 60.0
LOOK_SECONDS = 0.5
LEFTOVER_SECONDS = 5.0

Sleep = Callable[[float], None]


def main() -> None:
    """Become the program that the command line names."""
    name = sys.argv[1]
    folders = StackFolders.locate(os.environ)
    records = Records(folders.services)
    record = records.note_start(name, time.time())
    end_leftovers(name)
    pause = pause_before(record)
    if pause:
        records.note_waiting(name, f"{pause:.0f} s, as it stopped {record.restarts} times")
        time.sleep(pause)
    if name == WATCH:
        records.note_waiting(name, "")
        postgres_watch.watch(folders, records)
        return
    if component(name).trading:
        records.note_waiting(name, "")
        _become([sys.executable, "-m", "trading_lib.cli", *component(name).trading])
    url = os.environ[airflow_schema.DATABASE_VARIABLE] if component(name).airflow else _mlflow_database()
    wait_for_database(url, lambda reason: records.note_waiting(name, reason))
    if component(name).airflow:
        airflow_schema.ensure_current(url, folders.services, lambda reason: records.note_waiting(name, reason))
    records.note_waiting(name, "")
    _become(_command(name))


def _become(command: list[str]) -> NoReturn:
    os.execv(command[0], command)  # noqa: S606  a list, without a shell


def pause_before(record: Record) -> float:
    """Seconds to wait before a program that keeps stopping is started again."""
    newest = record.started[-1]
    recent = sum(newest - WINDOW_SECONDS < start for start in record.started)
    if recent <= FREE_STARTS:
        return 0.0
    return float(min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (recent - FREE_STARTS - 1)))


def wait_for_database(url: str, note: Callable[[str], None], sleep: Sleep = time.sleep) -> None:
    """Return when the database answers; a program that starts without it would only stop again."""
    said = ""
    while True:
        try:
            connect(url).dispose()
        except StorageUnavailableError as error:
            if error.problem != said:
                said = error.problem
                note("the database")
                print(f"waiting for the database: {said}", flush=True)
            sleep(LOOK_SECONDS)
        else:
            return


def end_leftovers(name: str) -> int:
    """End processes that an earlier process of this program has left behind; return how many there were.

    A scheduler that was killed leaves its workers waiting for tasks for ever.
    """
    ourselves = {os.getpid(), os.getppid()}
    marker = os.environ.get(MARKER_VARIABLE)
    leftovers = [
        process for process in psutil.process_iter() if process.pid not in ourselves and _is_of(process, name, marker)
    ]
    for signal in ("terminate", "kill"):
        for process in leftovers:
            try:
                getattr(process, signal)()
            except psutil.Error:
                continue
        _, leftovers = psutil.wait_procs(leftovers, timeout=LEFTOVER_SECONDS)
    return len(leftovers)


def _is_of(process: psutil.Process, name: str, marker: str | None) -> bool:
    try:
        environment = process.environ()
    except (psutil.Error, OSError):
        return False
    return environment.get(MARKER_VARIABLE) == marker and environment.get(COMPONENT_VARIABLE) == name


def _mlflow_database() -> str:
    url = parse_url(os.environ["TRADING_DATABASE_URL"]).set(database="mlflow")
    os.environ["MLFLOW_BACKEND_STORE_URI"] = url.render_as_string(hide_password=False)
    return os.environ["MLFLOW_BACKEND_STORE_URI"]


def _command(name: str) -> list[str]:
    if name == MLFLOW:
        # A tracking address in the environment would make the server a client of it.
        os.environ["MLFLOW_TRACKING_URI"] = ""
        port = ServicePorts.configured(os.environ).mlflow.number
        return [sys.executable, "-m", "trading_lib.adapters.mlflow.server", "--port", str(port)]
    return [str(Path(sys.executable).parent / "airflow"), *component(name).airflow]


if __name__ == "__main__":
    main()
