"""What pg_dump and pg_restore complain of, as one line: try again, free some space, or look into it."""

from __future__ import annotations

import subprocess

import pytest
from sqlalchemy import make_url

from trading_lib.adapters.backups.postgres_tools import DumpFailedError, finish, major
from trading_lib.domain.errors import StorageUnavailableError, TradingError

URL = make_url("postgresql+psycopg2://trading:hunter2@db.example/trading")


def ended(complaint: str, code: int = 1) -> subprocess.Popen[str]:
    """A program that says so and ends."""
    command = ["/bin/sh", "-c", f"printf '%s\\n' \"$1\" >&2; exit {code}", "sh", complaint]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize(
    ("complaint", "kind", "said"),
    [
        ("pg_dump: error: connection to server failed: refused", StorageUnavailableError, "lost the server"),
        ("pg_dump: error: query failed: FATAL:  terminating connection", StorageUnavailableError, "lost the server"),
        ("pg_restore: error: could not write: No space left on device", StorageUnavailableError, "a disk is full"),
        ("warning: x\npg_restore: error: type hunter2 is odd\nmore", DumpFailedError, r"\(type \*\*\* is odd\)"),
        ("", DumpFailedError, r"failed \(nothing\)"),
    ],
)
def test_a_complaint_becomes_one_line(complaint: str, kind: type[TradingError], said: str) -> None:
    with pytest.raises(kind, match=said) as caught:
        finish(ended(complaint), URL)
    assert "hunter2" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_success_says_nothing() -> None:
    finish(ended("pg_dump: warning: circular", 0), URL)


def test_versions_are_compared_by_their_first_number() -> None:
    assert [major(version) for version in ("18.4", "17beta1", "9.6", "")] == [18, 17, 9, 0]
