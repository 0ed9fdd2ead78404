"""Access to the server: one socket in a closed folder, for the server's own account and root alone.

There is no password to steal and no address to reach: the server asks the kernel who is at the other end ("peer").
"""

from __future__ import annotations

import hashlib
import os
import re
import signal
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from trading_lib.adapters.stores.postgres.server.account import ROOT, Account
from trading_lib.domain.errors import StorageUnavailableError

PORT = 5432
SHORT_NAME = "trading-postgres-"
SOCKET = f".s.PGSQL.{PORT}"
RELOAD = signal.SIGHUP
# The shortest limit of the operating systems in use, with the closing zero; Linux allows four bytes more.
SOCKET_BYTES = 104
# Such a path means itself in a connection URL, in a list of hosts and in PostgreSQL's settings alike.
PLAIN_PATH = re.compile(r"[A-Za-z0-9/._-]+")
SHORT_FOLDER = Path("/tmp")  # noqa: S108 - what is created there is closed and its owner checked

ACCESS = """\
# Written at every start of the database: changes made here are lost.
# Only the account that runs the server, and root, get in: see pg_ident.conf.
local all all peer map=owner
local replication all peer map=owner
"""
NAMES = """\
# Written at every start of the database: changes made here are lost.
"""


def close_doors(folder: Path, account: Account) -> bool:
    """Write who may connect into the data folder; return whether that changed anything.

    A running server follows when it is sent `RELOAD`.
    """
    maps = dict.fromkeys((account.name, ROOT))
    lines = [f'owner "{name}" postgres\n' for name in maps]
    files = {"pg_ident.conf": NAMES + "".join(lines), "pg_hba.conf": ACCESS}
    changed = [name for name, text in files.items() if _put(folder / name, text, account)]
    return bool(changed)


def socket_folder(folder: Path, account: Account) -> Path:
    """Return the folder for the socket, creating it where that is not the data folder, which is closed as well.

    A path too long for a socket, or with characters that mean something in a URL, leads to a short folder with a name
    that is the same at every start: services keep the address while the server restarts.
    """
    if PLAIN_PATH.fullmatch(str(folder)) and len(os.fsencode(folder / SOCKET)) < SOCKET_BYTES:
        return folder
    name = _short_name(folder, account)
    for base in dict.fromkeys((SHORT_FOLDER, Path(tempfile.gettempdir()))):
        path = base / name
        try:
            path.mkdir(mode=0o700)
            account.own(path)
        except FileExistsError:
            if not is_closed(path, account.uid):
                # Somebody else was there first, by chance or to lure clients; a name nobody can know is ours alone.
                path = _made_before(base, name, account) or Path(tempfile.mkdtemp(prefix=f"{name}-", dir=base))
                account.own(path)
        except OSError:
            continue
        return path
    raise StorageUnavailableError(
        f"{folder} is too long a path for a socket, and {SHORT_FOLDER} cannot be written to",
        "set TRADING_HOME to a shorter path",
    )


def clear_socket(folder: Path) -> None:
    """Remove the socket of a server that is gone; its lock would be believed if the number were in use again."""
    for name in (SOCKET, f"{SOCKET}.lock"):
        (folder / name).unlink(missing_ok=True)


def remove_short_folder(folder: Path) -> None:
    """Remove the folder of a server that is gone, with the socket it may not have had the time to remove."""
    if folder.name.startswith(SHORT_NAME):
        # Kept if another file is in it.
        with suppress(OSError):
            clear_socket(folder)
            folder.rmdir()


def is_closed(folder: Path, owner: int) -> bool:
    """Whether ``folder`` is a real folder of ``owner``, which nobody else can enter."""
    try:
        status = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == owner and not stat.S_IMODE(status.st_mode) & 0o077


def _made_before(base: Path, name: str, account: Account) -> Path | None:
    """Return our folder of an earlier start: services that run have its address, and would not find a new one."""
    folders = [path for path in base.glob(f"{name}-*") if is_closed(path, account.uid)]
    return max(folders, key=lambda path: path.stat().st_mtime, default=None)


def _short_name(folder: Path, account: Account) -> str:
    # A copy and a successor at the same path are other servers, so the path alone would not tell them apart.
    status = folder.stat()
    identity = f"{folder}\n{status.st_dev}\n{status.st_ino}"
    return f"{SHORT_NAME}{account.uid}-{hashlib.sha256(os.fsencode(identity)).hexdigest()[:12]}"


def _put(path: Path, text: str, account: Account) -> bool:
    try:
        if path.read_text(errors="replace") == text:
            return False
    except FileNotFoundError:
        pass
    draft = path.with_name(f"{path.name}.new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    account.own(draft)
    draft.replace(path)
    return True
