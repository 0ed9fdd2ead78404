"""``trading backup`` as it is typed: figures, exit codes, one line for what is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.environment.backup_place import fill
from tests.environment.command_line import run
from tests.environment.database import MakeDatabase

pytestmark = pytest.mark.postgres

AGREED = {
    *("id", "class", "started_at", "ended_at", "size", "sha256", "pg_version", "schema_revision", "tables"),
    *("state_hash", "encrypted_to", "verified_at"),
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    monkeypatch.setenv("TRADING_HOME", str(home))
    return home


@pytest.fixture
def database(home: Path, make_database: MakeDatabase, monkeypatch: pytest.MonkeyPatch) -> str:
    url = make_database()
    fill(url)
    monkeypatch.setenv("TRADING_DATABASE_URL", url)
    return url


def answer(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def test_a_backup_by_hand_from_key_to_restore(
    database: str, tmp_path: Path, make_database: MakeDatabase, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    key, folder = tmp_path / "key.txt", str(tmp_path / "backups")
    assert run("backup", "new-key", "--out", str(key), "--json") == 0
    monkeypatch.setenv("TRADING_BACKUP__RECIPIENTS", json.dumps([answer(capsys)["public_key"]]))
    assert run("backup", "create", "--to", folder, "--database", "trading", "--json") == 0
    made = answer(capsys)
    assert set(made) >= AGREED
    assert (made["class"], made["tables"]["bars"]) == ("database", 200)
    assert run("backup", "list", "--from", folder, "--json") == 0
    assert [one["id"] for one in answer(capsys)["backups"]] == [made["id"]]
    assert run("backup", "verify", "--from", folder, "--json") == 0
    assert answer(capsys)["ok"] is True
    into = make_database(migrated=False)
    arguments = ("backup", "restore", "--from", folder, "--into", into, "--json")
    assert run(*arguments) == 2
    assert "is encrypted to age1" in answer(capsys)["error"]
    assert run(*arguments, "--identity", str(key), "--at", "2020-01-01") == 2
    assert "holds no verified backup of trading" in answer(capsys)["error"]
    assert run(*arguments, "--identity", str(key)) == 0
    assert answer(capsys)["state_hash"] == made["state_hash"]
    assert run(*arguments, "--identity", str(key)) == 2
    assert "is not empty" in answer(capsys)["error"]


def test_the_lines_for_people(database: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "backups"
    assert run("backup", "list", "--from", str(folder)) == 0
    assert capsys.readouterr().out.strip() == f"{folder} holds no backups"
    assert run("backup", "create", "--to", str(folder), "--class", "config") == 0
    assert run("backup", "create", "--to", str(folder), "--class", "config") == 0
    assert capsys.readouterr().out.count("NOT ENCRYPTED") == 2
    assert run("backup", "prune", "--from", str(folder), "--dry-run") == 0
    assert capsys.readouterr().out.strip() == "1 backups stay; 0 bytes would remove"
    manifest = next(folder.rglob("manifest.json"))
    manifest.write_text(manifest.read_text()[:-3])
    assert run("backup", "verify", "--from", str(folder)) == 1
    assert capsys.readouterr().out.startswith("damaged  config-")
    assert run("backup", "list", "--from", str(folder)) == 0
    assert "damaged: config/config-" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("create", "--class", "databse"), "there is no class 'databse' of backups: did you mean database?"),
        (("create", "--class", "logs", "--database", "x"), "--database says nothing about class logs"),
        (("create", "--database", "nobody"), "there is no database 'nobody' to back up"),
        (("create", "--to", "ftp://x"), "ftp:// is no kind of backup destination"),
        (("restore", "--into", "x", "--at", "noon"), "--at 'noon' is no time"),
        (("restore", "--into", "x", "--at", "2026-01-01", "--id", "y"), "--at and --id exclude each other"),
        (("restore", "--into", "x;y", "--from", "HERE"), "holds no verified backup of trading"),
        (("restore", "--into", "x", "--id", "y", "--from", "HERE"), "there is no backup 'y' in "),
        (("drill", "--from", "HERE"), "the restore drill failed"),
    ],
)
def test_what_is_wrong_is_one_line(
    database: str, tmp_path: Path, arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [str(tmp_path / "none") if word == "HERE" else word for word in arguments]
    assert run("backup", *given) == (1 if given[0] == "drill" else 2)
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert said in error


def test_a_key_is_never_overwritten(home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    key = tmp_path / "key.txt"
    assert run("backup", "new-key", "--out", str(key)) == 0
    assert key.stat().st_mode & 0o077 == 0
    assert "AGE-SECRET-KEY" not in capsys.readouterr().out
    before = key.read_text()
    assert run("backup", "new-key", "--out", str(key)) == 2
    assert key.read_text() == before


def test_a_place_without_backups_is_not_verified(home: Path, tmp_path: Path, capsys: Any) -> None:
    assert run("backup", "verify", "--from", str(tmp_path / "mistyped"), "--json") == 1
    assert answer(capsys) == {"ok": False, "restored": False, "backups": []}
