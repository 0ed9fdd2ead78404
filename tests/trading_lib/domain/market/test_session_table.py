"""The shipped table of sessions is what exchange_calendars knows."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from trading_lib.domain.market.session_table import FILE, library_sessions, read_sessions, write_sessions
from trading_lib.domain.market.sessions import FIRST_SESSION, LAST_SESSION_YEAR

LAST = f"{LAST_SESSION_YEAR}-12-31"
COLUMNS = ("sessions", "opens", "closes")


def test_the_shipped_table_equals_the_library() -> None:
    library = library_sessions(str(FIRST_SESSION), LAST)
    for name, shipped, expected in zip(COLUMNS, read_sessions(), library, strict=True):
        np.testing.assert_array_equal(shipped, expected, err_msg=f"{name}: run make calendar")
        assert shipped.dtype == expected.dtype


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "table.npz"
    write_sessions("2020-01-02", "2020-12-31", path)
    for read, expected in zip(read_sessions(path), library_sessions("2020-01-02", "2020-12-31"), strict=True):
        np.testing.assert_array_equal(read, expected)


@pytest.mark.parametrize(
    ("session", "close"),
    [("2019-11-29", "2019-11-29T18:00"), ("2020-07-02", "2020-07-02T20:00"), ("2012-10-26", "2012-10-26T20:00")],
)
def test_half_days_close_early_and_daylight_saving_counts(session: str, close: str) -> None:
    sessions, _, closes = read_sessions()
    assert closes[np.searchsorted(sessions, np.datetime64(session))] == np.datetime64(close)


def test_no_process_needs_the_library_for_the_sessions() -> None:
    code = (
        "import sys; from trading_lib.domain.market.sessions import exchange_sessions; exchange_sessions();"
        "print('exchange_calendars' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"
    assert FILE.is_file()
