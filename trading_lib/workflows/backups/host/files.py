"""Configuration and credentials of a restored machine: nothing that is there is ever written over."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path, PurePosixPath
from typing import Any

from sqlalchemy import URL, text

from trading_lib.adapters.files.include_folder import INCLUDE_VARIABLE
from trading_lib.adapters.services.credentials import load_or_create, write_private
from trading_lib.adapters.services.folders import StackFolders
from trading_lib.adapters.stores.postgres.database import connect
from trading_lib.workflows.backups.files import CREDENTIALS
from trading_lib.workflows.setup.settings import configuration_folder

RESTORED = "restored-configuration"
# First folder in a backup of class config.
INCLUDE, CONFIG = "include", "config"
ENCRYPTED = (("connection", "connections"), ("variable", "variables"))


@dataclass(frozen=True)
class RestoredConfiguration:
    """How the configuration of a backup compares with the one here.

    Attributes
    ----------
    differing
        Files of the backup that are other ones here, or none.
    folder
        Where those were written; "" when there are none.
    """

    backup: str | None
    differing: tuple[str, ...]
    folder: str

    def as_record(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {"backup": self.backup, "differing": list(self.differing), "written_to": self.folder}


def restore_configuration(
    backup: str | None, content: Path | None, folders: StackFolders, environment: Mapping[str, str]
) -> RestoredConfiguration:
    """Write the files of a backup that differ from those here into a folder of the home.

    Parameters
    ----------
    content
        The unpacked backup; None when there is none.
    """
    if content is None:
        return RestoredConfiguration(None, (), "")
    named = environment.get(INCLUDE_VARIABLE, "").strip()
    include = Path(named).expanduser() if named else folders.project / "include"
    here = {INCLUDE: include, CONFIG: configuration_folder(environment)}
    target, differing = folders.home / RESTORED, []
    for path in sorted(content.rglob("*")):
        name = path.relative_to(content).as_posix()
        top, _, rest = name.partition("/")
        if not path.is_file() or top not in here or _same(path, here[top] / PurePosixPath(rest)):
            continue
        copy = target / name
        copy.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
        differing.append(name)
    return RestoredConfiguration(backup, tuple(differing), str(target) if differing else "")


def restore_credentials(content: Path | None, folders: StackFolders) -> str:
    """Bring back the generated passwords and keys; say whether they were kept, restored, or generated anew."""
    if folders.credentials.exists():
        return "kept"
    stored = content / CREDENTIALS if content is not None else None
    if stored is not None and stored.is_file():
        write_private(folders.credentials, stored.read_text(encoding="utf-8"))
        load_or_create(folders.credentials)
        return "restored"
    load_or_create(folders.credentials)
    return "generated"


def count_unreadable(airflow: URL) -> dict[str, int]:
    """Count what Airflow's database keeps encrypted, which only the key it was encrypted with opens."""
    engine = connect(airflow.render_as_string(hide_password=False), application_name="trading-restore")
    found = {}
    try:
        with engine.connect() as connection:
            for table, shown in ENCRYPTED:
                if connection.execute(text("SELECT to_regclass(:name)"), {"name": f"public.{table}"}).scalar() is None:
                    continue
                count = connection.execute(text(f"SELECT count(*) FROM public.{table} WHERE is_encrypted")).scalar_one()  # noqa: S608
                if count:
                    found[shown] = int(count)
    finally:
        engine.dispose()
    return found


def _same(one: Path, other: Path) -> bool:
    return other.is_file() and sha256(one.read_bytes()).digest() == sha256(other.read_bytes()).digest()
