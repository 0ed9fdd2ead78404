"""The log file under several processes: no line is lost, torn or written twice, and old files go."""

from __future__ import annotations

import json
import multiprocessing
import os
import stat
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from trading_lib.adapters.logs.rotating_file import NAME, RotatingFile, log_files

WRITERS, LINES = 4, 400


def write_lines(folder: Path, writer: int, start: object) -> None:
    file = RotatingFile(folder, max_bytes=2_000, keep_files=10_000, keep_days=30)
    start.wait()  # type: ignore[attr-defined]
    for number in range(LINES):
        file.append(json.dumps([writer, number, "x" * (number % 90)]).encode() + b"\n")


@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_processes_that_write_and_rotate_at_once_lose_no_line(tmp_path: Path, method: str) -> None:
    context = multiprocessing.get_context(method)
    start = context.Barrier(WRITERS)
    processes = [context.Process(target=write_lines, args=(tmp_path, writer, start)) for writer in range(WRITERS)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
        assert process.exitcode == 0
    files = log_files(tmp_path)
    found = [json.loads(line) for path in files for line in path.read_text().splitlines()]
    counts = Counter((writer, number) for writer, number, _ in found)
    assert counts == Counter((writer, number) for writer in range(WRITERS) for number in range(LINES))
    assert len(files) > 10
    assert max(path.stat().st_size for path in files) <= 2_000


def test_a_forked_child_waits_for_its_parent_like_any_other_process(tmp_path: Path) -> None:
    """A lock belongs to an open file, which a fork shares."""
    file = RotatingFile(tmp_path, 10_000, 5, 30)
    file.append(b"parent\n")
    child = os.fork()
    if child == 0:
        file.append(b"child\n")
        os._exit(0 if file._process == os.getpid() else 1)
    assert os.waitpid(child, 0)[1] == 0
    file.append(b"parent\n")
    assert (tmp_path / NAME).read_text().splitlines() == ["parent", "child", "parent"]


def test_only_the_newest_files_are_kept_and_none_beyond_their_age(tmp_path: Path) -> None:
    now = [datetime(2026, 1, 1, tzinfo=UTC)]
    file = RotatingFile(tmp_path, 10, keep_files=2, keep_days=30, clock=lambda: now[0])
    for number in range(5):
        file.append(f"line {number}..\n".encode())
        now[0] += timedelta(days=1)
    assert [path.read_text() for path in log_files(tmp_path)] == ["line 2..\n", "line 3..\n", "line 4..\n"]
    for path in log_files(tmp_path)[:2]:
        os.utime(path, (0, 0))
    file.append(b"line 5..\n")
    assert [path.read_text() for path in log_files(tmp_path)] == ["line 4..\n", "line 5..\n"]


def test_two_files_put_aside_in_one_moment_get_two_names(tmp_path: Path) -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    file = RotatingFile(tmp_path, 10, keep_files=9, keep_days=30, clock=lambda: moment)
    for number in range(3):
        file.append(f"line {number}..\n".encode())
    assert [path.read_text() for path in log_files(tmp_path)] == ["line 0..\n", "line 1..\n", "line 2..\n"]


def test_nobody_else_may_read_it(tmp_path: Path) -> None:
    file = RotatingFile(tmp_path / "home" / "logs", 10, keep_files=9, keep_days=30)
    for _ in range(2):
        file.append(b"something\n")
    folder = tmp_path / "home" / "logs"
    assert {stat.S_IMODE(path.stat().st_mode) for path in (folder, folder.parent)} == {0o700}
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_a_full_disk_leaves_no_half_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = RotatingFile(tmp_path, 10_000, 5, 30)
    file.append(b"whole\n")
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, content: write(descriptor, content[:3]))
    with pytest.raises(OSError, match="No space left"):
        file.append(b"lost line\n")
    monkeypatch.undo()
    file.append(b"again\n")
    assert (tmp_path / NAME).read_text() == "whole\nagain\n"


def test_a_process_that_is_stuck_with_the_lock_stops_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl

    file = RotatingFile(tmp_path, 10, 5, 30)
    file.append(b"before...\n")
    monkeypatch.setattr(file, "_patience", 0.0)
    with (tmp_path / ".lock").open("w") as stuck:
        fcntl.flock(stuck, fcntl.LOCK_EX)
        file.append(b"meanwhile\n")
    file.append(b"after....\n")
    # Without the lock nothing was put aside: that could take another process's lines along.
    assert [path.read_text() for path in log_files(tmp_path)] == ["before...\nmeanwhile\n", "after....\n"]


def test_nothing_is_written_where_another_user_may_put_a_link(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(PermissionError, match="other users may write to"):
        RotatingFile(tmp_path / "logs", 10_000, 5, 30).append(b"line\n")
    assert list(tmp_path.iterdir()) == []
