"""A server that dies, or fails, at every request of an upload and a download: what is left is no backup."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from sqlalchemy import make_url

from tests.campaigns.backups.refusals import execute_on_server, proved_on
from tests.environment.backup_place import fill, make_place
from tests.peers.faulty_proxy import FaultyProxy
from tests.peers.s3_servers import ACCESS, BUCKET, SECRET, RcloneServer
from trading_lib.adapters.backups import s3_destination
from trading_lib.adapters.backups.content import database_content
from trading_lib.adapters.backups.destination import Destination
from trading_lib.adapters.backups.s3_destination import ENDPOINT_VARIABLE
from trading_lib.adapters.stores.postgres.embedded_postgres import EmbeddedPostgres
from trading_lib.domain.errors import TradingError
from trading_lib.workflows.backups.catalogue import read_catalogue
from trading_lib.workflows.backups.create import back_up_databases
from trading_lib.workflows.backups.prune import prune_backups
from trading_lib.workflows.backups.restore import restore_backup
from trading_lib.workflows.backups.verify import verify_backups

UPLOADS = ("before", "half", "after", "503")
DOWNLOADS = ("before", "answer", "503")
PREFIXES = itertools.count(1)


@dataclass(frozen=True)
class Interrupted:
    """What came of one fault; ``problem`` is "" where all was as it should be."""

    what: str
    request: str
    how: str
    said: str
    problem: str


@contextmanager
def s3_variables() -> Iterator[None]:
    """Credentials of the tests' servers, and no second attempt: every fault is to be seen."""
    variables = {
        "AWS_ACCESS_KEY_ID": ACCESS,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_SHARED_CREDENTIALS_FILE": "/nonexistent",
        "AWS_CONFIG_FILE": "/nonexistent",
    }
    with patch.dict("os.environ", variables), patch.object(s3_destination, "ATTEMPTS", 1):
        yield


class Bucket:
    """A database, and a bucket behind a proxy.

    Parameters
    ----------
    rclone
        Killed at the fault and started again; None for a server that only fails.
    """

    def __init__(
        self,
        server: EmbeddedPostgres,
        new_database: Callable[[], str],
        folder: Path,
        proxy: FaultyProxy,
        rclone: RcloneServer | None,
    ) -> None:
        self.server, self.proxy, self.rclone = server, proxy, rclone
        url = new_database()
        fill(url, books=1, rows=20)
        self.place = make_place(folder / "home", url)
        self.state_hash = database_content(make_url(url)).state_hash
        if rclone is not None:
            proxy.fault = rclone.kill

    def destination(self, prefix: int | None = None) -> Destination:
        number = next(PREFIXES) if prefix is None else prefix
        return s3_destination.S3Destination(f"s3://{BUCKET}/{number}", {ENDPOINT_VARIABLE: self.proxy.endpoint})

    def whole_cycle(self) -> int:
        """Create, list, verify, restore and prune with no fault; return how many requests an upload takes."""
        destination = self.destination()
        self.proxy.reset()
        self._back_up(destination)
        requests = len(self.proxy.seen)
        (manifest,) = read_catalogue(destination).manifests
        (verified,) = verify_backups(self.place, destination)
        assert (verified.name, verified.problem) == (manifest.id, "")
        assert self._restored(destination) == self.state_hash
        pruned = prune_backups(self.place, destination)
        assert (pruned.kept, pruned.backups, pruned.unclaimed) == (1, (), ())
        return requests

    def upload(self, k: int, how: str) -> Interrupted:
        """Let request ``k`` of a backup fail, and back up again."""
        destination = self.destination()
        self.proxy.reset(k, how)
        said, problem = self._one_line(lambda: self._back_up(destination))
        request = self.proxy.seen[k - 1] if len(self.proxy.seen) >= k else "none"
        self._bring_back()
        problem = problem or self._what_counts(destination)
        if not problem:
            before = len(read_catalogue(destination).manifests)
            self._back_up(destination)
            if len(read_catalogue(destination).manifests) != before + 1 or self._what_counts(destination):
                problem = "the next backup is not whole"
        return Interrupted("upload", request, how, said, problem)

    def download(self, destination: Destination, k: int, how: str) -> Interrupted:
        """Let request ``k`` of a restore fail, and restore again."""
        self.proxy.reset(k, how)
        said, problem = self._one_line(lambda: self._restored(destination))
        request = self.proxy.seen[k - 1] if len(self.proxy.seen) >= k else "none"
        self._bring_back()
        if not problem and self._is_there():
            problem = "the target is there after a restore that failed"
        if not problem and self._restored(destination) != self.state_hash:
            problem = "the next restore brought another state"
        return Interrupted("download", request, how, said, problem)

    def downloads(self) -> tuple[Destination, int]:
        """Back up once to be restored from; return how many requests a restore takes."""
        destination = self.destination()
        self._back_up(destination)
        self.proxy.reset()
        self._restored(destination)
        return destination, len(self.proxy.seen)

    def _back_up(self, destination: Destination) -> None:
        with proved_on(self.server):
            back_up_databases(self.place, destination, ["trading"])

    def _restored(self, destination: Destination) -> str:
        target = self.server.url("interrupted")
        restore_backup(self.place, destination, target)
        found = database_content(make_url(target)).state_hash
        execute_on_server(self.server, "DROP DATABASE interrupted")
        return found

    def _is_there(self) -> bool:
        try:
            database_content(make_url(self.server.url("interrupted")))
        except TradingError:
            return False
        return True

    def _what_counts(self, destination: Destination) -> str:
        """Say what is taken for a backup and is none."""
        broken = [one for one in verify_backups(self.place, destination) if one.problem]
        return f"{broken[0].name}: {broken[0].problem}" if broken else ""

    def _bring_back(self) -> None:
        self.proxy.reset()
        if self.rclone is not None:
            self.rclone.kill()
            self.rclone.start()

    @staticmethod
    def _one_line(call: Callable[[], Any]) -> tuple[str, str]:
        try:
            call()
        except TradingError as error:
            said = str(error)
            fine = "\n" not in said and SECRET not in said and error.exit_code == 2
            return said, "" if fine else f"no clear line with exit code 2: {said!r}"
        except Exception as error:
            return "", f"{type(error).__name__}: {error}"
        return "", "the fault was not noticed"
