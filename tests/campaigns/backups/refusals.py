"""Damages, each on a fresh copy of a backup: the restore must refuse, and the server be as it was, row for row."""

from __future__ import annotations

import itertools
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from unittest.mock import patch

from sqlalchemy import make_url, text

from tests.campaigns.backups.damages import ENCRYPTED, PLAIN, Stored
from tests.environment.backup_place import NOW, fill, make_place
from tests.environment.database import table_contents
from trading_lib.adapters.backups.content import database_content
from trading_lib.adapters.backups.encryption import new_identity
from trading_lib.adapters.backups.scratch_server import ScratchServer
from trading_lib.adapters.stores.postgres.database import connect
from trading_lib.adapters.stores.postgres.embedded_postgres import EmbeddedPostgres
from trading_lib.domain.errors import InputError
from trading_lib.monitoring.backup.manifest import Manifest
from trading_lib.workflows.backups.create import back_up_databases
from trading_lib.workflows.backups.place import BackupPlace
from trading_lib.workflows.backups.restore import restore_backup

NUMBERS = itertools.count(1000)
TARGETS = ("absent", "empty")


@dataclass(frozen=True)
class Kept:
    """Two backups of two databases in one folder, older and newer, and what opens them."""

    place: BackupPlace
    folder: Path
    older: Manifest
    newer: Manifest


@dataclass(frozen=True)
class Outcome:
    """What came of one damage."""

    seed: int
    harm: str
    encrypted: bool
    refused: str
    untouched: bool
    problem: str


class Ground:
    """A server with a database of its own that nothing may touch, and backups, plain and encrypted.

    Parameters
    ----------
    new_database
        Creates a database with the tables of the newest schema and returns its URL.
    """

    def __init__(self, server: EmbeddedPostgres, new_database: Callable[[], str], folder: Path) -> None:
        self.server, self.folder = server, folder
        self.identity, self.wrong = folder / "key.txt", folder / "wrong.txt"
        public = new_identity(self.identity)
        new_identity(self.wrong)
        urls = [new_database(), new_database()]
        fill(urls[0], books=3, rows=100)
        fill(urls[1], books=2, rows=300)
        self.bystander = urls[0]
        server.create_databases(["damages_empty"])
        with proved_on(server):
            self.kept = {
                closed: self._back_up(folder / str(closed), urls, (public,) if closed else ())
                for closed in (False, True)
            }

    def _back_up(self, folder: Path, urls: list[str], recipients: tuple[str, ...]) -> Kept:
        folder.mkdir()
        manifests = []
        for hours, url in enumerate(urls):
            place = make_place(folder / "home", url, recipients=recipients, clock=lambda: NOW)
            place = replace(place, clock=lambda hours=hours: NOW + timedelta(hours=hours))  # type: ignore[misc]
            manifests += back_up_databases(place, place.destination(str(folder / "backups")), ["trading"])
        return Kept(place, folder / "backups", *manifests)

    def play(self, seed: int) -> Outcome:
        """Damage the newer backup and try to restore it."""
        encrypted, chance = seed % 2 == 1, random.Random(seed)
        harms = ENCRYPTED if encrypted else PLAIN
        harm = harms[(seed // 2) % len(harms)]
        kept, folder = self.kept[encrypted], self.folder / f"damaged-{seed}"
        shutil.copytree(kept.folder, folder)
        stored = Stored(
            folder / kept.newer.folder,
            folder / kept.older.folder,
            self.wrong,
            chance,
            {"identity": self.identity, "name": kept.newer.id},
        )
        harm(stored)
        if harm.__name__ in ("flip_bit_of_manifest", "cut_manifest", "edit_hash"):
            # The older one must not be taken in its place either.
            del stored.options["name"]
        before, files = self._state(), _files(folder)
        refused = problem = ""
        target = self.server.url(f"damages_{chance.choice(TARGETS)}")
        try:
            restore_backup(kept.place, kept.place.destination(str(folder)), target, **stored.options)
            problem = "it was restored"
        except InputError as error:
            refused = str(error)
            if "\n" in refused or error.exit_code != 2:
                problem = "not refused in one line with exit code 2"
        except Exception as error:
            problem = f"{type(error).__name__}: {error}"
        untouched = self._state() == before and _files(folder) == files
        shutil.rmtree(folder)
        return Outcome(seed, harm.__name__, encrypted, refused, untouched, problem)

    def restore(self, seed: int) -> str:
        """Restore a sound backup into a new database; say what differs, "" when its state is the manifest's."""
        kept = self.kept[seed % 2 == 1]
        manifest = (kept.older, kept.newer)[seed // 2 % 2]
        url = self.server.url(f"damages_restored_{seed}")
        destination = kept.place.destination(str(kept.folder))
        restore_backup(kept.place, destination, url, name=manifest.id, identity=self.identity)
        found = database_content(make_url(url)).state_hash
        execute_on_server(self.server, f"DROP DATABASE damages_restored_{seed}")
        return "" if found == manifest.state_hash else f"seed {seed}: {found}, not {manifest.state_hash}"

    def _state(self) -> tuple[object, ...]:
        """All databases by name and identity, and every row of the bystander with the transaction that wrote it."""
        engine = connect(self.server.url("postgres"))
        with engine.connect() as connection:
            names = connection.execute(text("SELECT datname, oid FROM pg_database ORDER BY 1")).all()
        engine.dispose()
        engine = connect(self.bystander)
        tables = sorted(database_content(make_url(self.bystander)).tables)
        rows = table_contents(engine, *tables)
        engine.dispose()
        empty = database_content(make_url(self.server.url("damages_empty")))
        return [tuple(row) for row in names], rows, empty


@contextmanager
def proved_on(server: EmbeddedPostgres) -> Iterator[None]:
    """Prove backups on a server that runs anyway: a new one for each takes seconds."""

    @contextmanager
    def shared(folder: Path) -> Iterator[ScratchServer]:
        scratch = ScratchServer(server)
        # A name of its own, as others prove backups here too, and none is dropped before its server.
        scratch._number = next(NUMBERS)
        yield scratch

    with patch("trading_lib.workflows.backups.create.scratch_server", shared):
        yield


def execute_on_server(server: EmbeddedPostgres, statement: str) -> None:
    """Run one statement outside a transaction."""
    engine = connect(server.url("postgres")).execution_options(isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))
    engine.dispose()


def _files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
