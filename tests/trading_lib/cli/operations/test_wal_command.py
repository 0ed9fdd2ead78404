"""`trading wal` by its commands: what is printed, and with which exit code."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from tests.environment.command_line import run
from tests.environment.wal_place import SOON, wal_place
from trading_lib.workflows.backups.wal.archive import wal_status
from trading_lib.workflows.operations.doctor import check_wal


def test_without_an_archive_the_status_says_how_to_get_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("wal", "status") == 0
    assert "set wal.folder in backup.yaml" in capsys.readouterr().out
    assert check_wal({}).state == "stopped"
    for command in ("receive", "base"):
        assert run("wal", command) == 2
        assert "no archive of the log is configured" in capsys.readouterr().err


def test_a_server_of_ones_own_is_told_in_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TRADING_DATABASE_URL", "postgresql://trader:secret@db.example.com/trading")
    assert run("wal", "status") == 0
    assert "pgBackRest, Barman, or the vendor's point-in-time recovery" in capsys.readouterr().out
    assert run("wal", "receive", "--to", str(tmp_path / "wal")) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_time_that_is_none_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert run("wal", "restore", "--into", str(tmp_path / "new"), "--at", "yesterday") == 2
    assert "--at 'yesterday' is no time" in capsys.readouterr().err


@pytest.mark.postgres
def test_received_by_the_command_and_restored_by_the_command(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with wal_place(receiving=False) as place:
        for name, value in {**place.place.environment, "TRADING_BACKUP__WAL__TICK_SECONDS": "0.1"}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("TRADING_BACKUP__WAL__FOLDER", str(place.archive))
        assert run("wal", "status") == 1
        assert "nothing has been received yet" in capsys.readouterr().out
        place.run("CREATE TABLE t (n int)", "INSERT INTO t VALUES (1)")
        command = [sys.executable, "-m", "trading_lib.cli", "wal", "receive"]
        receiver = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        try:
            place.await_base()
            assert check_wal(place.place.environment | {"TRADING_BACKUP__WAL__FOLDER": str(place.archive)}).state == (
                "stopped"
            ), "the archive of this test lies on the database's own disk"
            place.run("INSERT INTO t VALUES (2)")
            moment = place.now()
            place.run("INSERT INTO t VALUES (3)")
            place.await_received(place.now())
            assert run("wal", "status", "--json") == 0
            status = json.loads(capsys.readouterr().out)
            assert status["slot"]["active"]
            assert status["lag_seconds"] < 60
            assert len(status["bases"]) == 1
            assert run("wal", "base", "--json") == 0
            assert json.loads(capsys.readouterr().out)["base"]["size"] > 100_000
            receiver.kill()
            receiver.communicate()
            assert SOON.wait_for(lambda: None if wal_status(place.place).slot.active else True)  # type: ignore[union-attr]
            receiver = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
            place.await_received(place.now())
        finally:
            receiver.send_signal(signal.SIGTERM)
            _, said = receiver.communicate(timeout=30)
        assert receiver.returncode == 0, said
        into = place.home / "restored"
        arguments = ("--from", str(place.archive), "--into", str(into), "--at", moment.isoformat())
        assert run("wal", "restore", *arguments, "--json") == 0
        done = json.loads(capsys.readouterr().out)
        assert done["rows"]["trading"] == {"t": 2}
        assert run("wal", "restore", *arguments) == 2
        assert "is not empty" in capsys.readouterr().err
        assert SOON.wait_for(lambda: wal_status(place.place).problems or None)
        assert run("wal", "status") == 1
        assert "no receiver is connected" in capsys.readouterr().out
        late = (moment + timedelta(days=1)).isoformat()
        assert run("wal", "restore", "--into", str(place.home / "late"), "--at", late) == 2
