"""What another user of the same machine gets hold of, tried out by really being that user.

For tests (they need root, which alone can become somebody else; `needs_root` skips them elsewhere)::

    from tests.other_user import intrude, needs_root

    @needs_root
    def test_nothing_is_open_to_other_users(stack):
        loot = intrude([stack.home], ports=[], urls=[f"{stack.mlflow}/api/2.0/mlflow/experiments/search"])
        assert loot == NOTHING            # or: loot.read == (), loot.written == (), loot.connected == ()

The attempts are made by a process of its own that is started as root, learns every name below the folders (an
intruder may have guessed them), becomes ``nobody`` with no further groups and umask 022, and then tries

- to list every folder, to create a file in it, to open every file for reading and for writing;
- to connect to every Unix socket found there and to those given as ``sockets``;
- to connect to the given TCP ``ports`` on the loopback address: for services that must not listen at all;
- to get an answer without credentials from the given ``urls``: for services that listen and must refuse. A login page
  is no loot, so name addresses of content (an experiment, a DAG); anything but a status of 2xx counts as refused, and
  redirects are not followed.

Nothing is changed: a file that could be created is removed again, a file that could be opened for writing is closed.
"""

from __future__ import annotations

import encodings.idna  # noqa: F401  needed to connect, and the way to Python's own files may be closed by then
import json
import os
import pwd
import socket
import stat
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

INTRUDER = "nobody"
LOOPBACK = "127.0.0.1"
SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Loot:
    """What the other user could do; each entry names a path, ``host:port`` or address.

    Attributes
    ----------
    listed, read
        Folders whose names and files whose content could be read.
    written
        Files that could be opened for writing, and folders in which a file could be created.
    connected
        Sockets and ports that accepted a connection, addresses that answered without credentials.
    """

    listed: tuple[str, ...] = ()
    read: tuple[str, ...] = ()
    written: tuple[str, ...] = ()
    connected: tuple[str, ...] = ()


NOTHING = Loot()


def needs_root(test: Callable[..., Any]) -> Callable[..., Any]:
    """Skip a test where it cannot become another user."""
    import pytest

    skip = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
    marked: Callable[..., Any] = skip(test)
    return marked


def intrude(
    folders: Sequence[Path],
    sockets: Sequence[Path] = (),
    ports: Sequence[int] = (),
    urls: Sequence[str] = (),
    user: str = INTRUDER,
) -> Loot:
    """Try everything named in the module's description as ``user`` and return what succeeded."""
    order = {
        "folders": [str(folder) for folder in folders],
        "sockets": [str(path) for path in sockets],
        "ports": list(ports),
        "urls": list(urls),
        "user": user,
    }
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-m", "tests.environment.other_user"],
        input=json.dumps(order),
        capture_output=True,
        text=True,
        check=True,
        cwd=root,
    )
    return Loot(**{name: tuple(entries) for name, entries in json.loads(done.stdout).items()})


def _become(user: str) -> None:
    entry = pwd.getpwnam(user)
    os.umask(0o022)
    os.setgroups([])
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)
    # The way to the checkout may be closed to the new user.
    os.chdir("/")


def _attempts(order: dict[str, Any]) -> Loot:
    entries = [path for folder in order["folders"] for path in _everything(Path(folder))]
    kinds = [(path, path.lstat().st_mode) for path in entries if os.path.lexists(path)]
    _become(order["user"])
    folders = [path for path, mode in kinds if stat.S_ISDIR(mode)]
    files = [path for path, mode in kinds if stat.S_ISREG(mode)]
    found = [path for path, mode in kinds if stat.S_ISSOCK(mode)]
    reached = [str(path) for path in (*found, *map(Path, order["sockets"])) if _reaches_socket(path)]
    reached += [f"{LOOPBACK}:{port}" for port in order["ports"] if _reaches_port(port)]
    reached += [url for url in order["urls"] if _answers(url)]
    return Loot(
        listed=tuple(str(path) for path in folders if _lists(path)),
        read=tuple(str(path) for path in files if _opens(path, os.O_RDONLY)),
        written=(
            *(str(path) for path in files if _opens(path, os.O_WRONLY)),
            *(str(path) for path in folders if _creates_in(path)),
        ),
        connected=tuple(reached),
    )


def _everything(folder: Path) -> Iterator[Path]:
    yield folder
    for parent, folders, files in os.walk(folder):
        yield from (Path(parent) / name for name in (*folders, *files))


def _lists(folder: Path) -> bool:
    try:
        os.listdir(folder)
    except OSError:
        return False
    return True


def _opens(path: Path, flags: int) -> bool:
    try:
        os.close(os.open(path, flags | os.O_NONBLOCK))
    except OSError:
        return False
    return True


def _creates_in(folder: Path) -> bool:
    path = folder / ".intruder"
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
    except OSError:
        return False
    path.unlink()
    return True


def _reaches_socket(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(SECONDS)
        try:
            client.connect(str(path))
        except OSError:
            return False
    return True


def _reaches_port(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as client:
        client.settimeout(SECONDS)
        return client.connect_ex((LOOPBACK, port)) == 0


class _Staying(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_arguments: object) -> None:
        """Follow nothing: a redirect to the login page is a refusal."""


def _answers(url: str) -> bool:
    # No proxy: the address is this machine's own.
    opener = urllib.request.build_opener(_Staying, urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=SECONDS) as answer:
            return bool(200 <= answer.status < 300)
    except (urllib.error.URLError, OSError):
        return False


if __name__ == "__main__":
    print(json.dumps(asdict(_attempts(json.load(sys.stdin)))))
