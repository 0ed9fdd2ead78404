"""Making a cluster and starting its server, without a shell reading paths and without a lock outside the folder."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from trading_lib.adapters.stores.postgres.server import doors, postmaster
from trading_lib.adapters.stores.postgres.server.account import Account
from trading_lib.adapters.stores.postgres.server.programs import program
from trading_lib.domain.errors import StorageUnavailableError

LOG = "log"
# Replaying the log after a crash may take long, and goes on when a command gives up waiting.
START_SECONDS = 600.0
# The server writes its log ahead in files of this size, in bytes.
ROOM = 16 * 1024**2
# Settings on the command line win over those in files.
SETTINGS = ("listen_addresses=", "unix_socket_permissions=0700")
# Sorting by code point, whatever languages the machine knows: a database behaves the same everywhere.
LOCALE = ("--encoding=utf8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
# Leaves the server to the system's first process, which buries it when it ends, and says its number.
DETACH = '"$@" >&2 & echo $!'


def create_cluster(folder: Path, account: Account, options: Sequence[str] = ()) -> None:
    """Run initdb beside ``folder`` and move the result in place, so that a kill leaves no half cluster.

    Parameters
    ----------
    options
        Further ones of initdb.
    """
    draft = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    account.own(draft)
    command = [
        str(program("initdb")),
        "-D",
        str(draft),
        "-U",
        "postgres",
        "--auth-local=peer",
        "--auth-host=reject",
        *LOCALE,
        *options,
    ]
    done = account.run(command, capture_output=True)
    if done.returncode != 0:
        shutil.rmtree(draft, ignore_errors=True)
        raise _failure(folder, "cannot be created", done.stderr)
    if folder.exists():
        folder.rmdir()
    draft.rename(folder)


def launch(folder: Path, account: Account) -> None:
    """Start the server of the cluster in ``folder`` and wait until it answers; nothing else may run there."""
    sockets = doors.socket_folder(folder, account)
    doors.clear_socket(sockets)
    doors.close_doors(folder, account)
    settings = [*SETTINGS, f'{postmaster.SOCKET_SETTING}="{sockets}"']
    command = [str(program("postgres")), "-D", str(folder), *(part for setting in settings for part in ("-c", setting))]
    log = folder / LOG
    with log.open("ab") as output:
        written = output.tell()
        account.own(log)
        started = account.run(
            ["/bin/sh", "-c", DETACH, "sh", *command], stdout=-1, stderr=output, start_new_session=True
        )
    pid = int(started.stdout) if started.stdout.strip().isdigit() else 0
    if not _becomes_ready(folder, pid):
        with log.open("rb") as output:
            output.seek(written)
            raise _failure(folder, "does not start", output.read().decode(errors="replace"))


def await_ready(folder: Path, pid: int) -> None:
    """Wait for a server that another command started and did not wait for."""
    if not _becomes_ready(folder, pid):
        raise _failure(folder, "does not start", (folder / LOG).read_text(errors="replace"))


def _becomes_ready(folder: Path, pid: int) -> bool:
    """Whether the process becomes a server that answers; False as soon as it has ended."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        lives = postmaster.alive(pid)
        server = postmaster.running(folder)
        if server is not None and server.process.pid == pid and server.ready:
            return True
        if not lives:
            return False
        time.sleep(postmaster.POLL_SECONDS)
    raise StorageUnavailableError(
        f"PostgreSQL in {folder} still repairs itself after {START_SECONDS:.0f} s",
        "wait, and run the command again; nothing is lost",
    )


def _failure(folder: Path, what: str, output: str) -> StorageUnavailableError:
    """Build the one line: the first complaint of the program, or the disk when it could not even complain."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    complaints = [line for line in lines if any(word in line for word in ("FATAL:", "PANIC:", "error:"))]
    said = (complaints or lines or ["nothing"])[0 if complaints else -1]
    free = shutil.disk_usage(folder if folder.exists() else folder.parent).free
    if "No space left on device" in output or free < ROOM:
        return StorageUnavailableError(
            f"PostgreSQL in {folder} {what}: its disk is full", "free some space, or set TRADING_HOME to another disk"
        )
    return StorageUnavailableError(f"PostgreSQL in {folder} {what} (it said: {said})", f"see {folder / LOG}")
