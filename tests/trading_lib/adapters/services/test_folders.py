"""The home is closed to other users from its first moment; somebody's own folder keeps its mode."""

from __future__ import annotations

import os
import pwd
import stat
from pathlib import Path

import pytest

from tests.environment.other_user import INTRUDER, NOTHING, intrude, needs_root
from trading_lib.adapters.files.kill_switch import KillSwitch
from trading_lib.adapters.files.private_folder import others_may_write
from trading_lib.adapters.services.credentials import load_or_create
from trading_lib.adapters.services.folders import StackFolders
from trading_lib.adapters.stores.postgres.embedded_postgres import EmbeddedPostgres
from trading_lib.domain.errors import ConfigurationError, FileTroubleError
from trading_lib.workflows.setup.settings import system_clock


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_home_and_every_folder_in_it_are_closed(tmp_path: Path) -> None:
    folders = StackFolders(home=tmp_path / "deep" / "home", project=tmp_path)
    old = os.umask(0o022)
    try:
        folders.create()
        sheets = folders.closed("tear-sheets")
    finally:
        os.umask(old)
    assert [mode(path) for path in (folders.home, folders.mlflow, folders.airflow, folders.mail, sheets)] == [0o700] * 5


def test_an_existing_home_keeps_its_mode_and_its_open_folders_are_closed(tmp_path: Path) -> None:
    folders = StackFolders(home=tmp_path, project=tmp_path)
    tmp_path.chmod(0o755)
    folders.mlflow.mkdir()
    folders.mlflow.chmod(0o755)
    folders.create()
    assert (mode(tmp_path), mode(folders.mlflow)) == (0o755, 0o700)


@pytest.mark.parametrize("wide", [0o777, 0o1777, 0o702])
def test_a_home_that_others_may_write_to_is_refused_untouched(tmp_path: Path, wide: int) -> None:
    home = tmp_path / "home"
    home.mkdir()
    home.chmod(wide)
    with pytest.raises(ConfigurationError, match=r"other users may write to .*home: take that away \(chmod go-w\)"):
        StackFolders(home=home, project=tmp_path).create()
    with pytest.raises(ConfigurationError, match="other users may write to"):
        EmbeddedPostgres(home / "postgres").start()
    assert (list(home.iterdir()), mode(home)) == ([], wide)


@needs_root
def test_a_group_counts_as_others_unless_it_is_the_owners_alone(tmp_path: Path) -> None:
    tmp_path.chmod(0o775)
    os.chown(tmp_path, 0, 0)
    assert not others_may_write(tmp_path)
    os.chown(tmp_path, 0, pwd.getpwnam(INTRUDER).pw_gid)
    assert others_may_write(tmp_path)


def test_whatever_comes_first_makes_a_closed_home(tmp_path: Path) -> None:
    load_or_create(tmp_path / "first" / "credentials.json")
    KillSwitch(tmp_path / "second" / "kill-switch").turn_on("test", system_clock())
    assert [mode(tmp_path / name) for name in ("first", "second")] == [0o700, 0o700]


@needs_root
def test_another_user_reads_and_writes_nothing_of_a_home(short_folder: Path) -> None:
    short_folder.chmod(0o755)
    folders = StackFolders(home=short_folder / "home", project=short_folder)
    folders.create()
    load_or_create(folders.credentials)
    for folder in (folders.airflow, folders.mlflow, folders.logs, folders.mail):
        (folder / "content").write_text("secret")
    assert intrude([folders.home]) == NOTHING


def test_a_file_instead_of_a_home_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "dags").mkdir()
    environment = {"TRADING_HOME": str(tmp_path / "file"), "TRADING_PROJECT": str(tmp_path)}
    with pytest.raises(ConfigurationError, match="file is a file: set TRADING_HOME to a folder"):
        StackFolders.locate(environment)


def test_credentials_that_the_system_refuses_are_not_to_be_deleted(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FileTroubleError, match=r"credentials\.json cannot be used \(Not a directory\)") as caught:
        load_or_create(tmp_path / "file" / "credentials.json")
    assert "delete" not in str(caught.value)
