"""Books that must not send: a file each, and all of them while a restore is under way."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from trading_lib.adapters.files.disarmed_books import DisarmedBooks

NOW = datetime(2026, 11, 20, 22, 0, tzinfo=UTC)
NAMES = ("paper", "a/../b", "every-book", "Büch %2F")


def test_only_named_books_are_disarmed_and_each_is_armed_by_itself(tmp_path: Path) -> None:
    disarmed = DisarmedBooks(tmp_path / "home")
    assert disarmed.reason("paper") is None
    disarmed.name_them(NAMES, "restored", NOW)
    assert [disarmed.reason(name) for name in (*NAMES, "other")] == ["restored"] * 4 + [None]
    assert not disarmed.is_unfinished
    assert disarmed.names() == sorted(NAMES)
    for name in NAMES:
        disarmed.arm(name)
        assert disarmed.reason(name) is None
    disarmed.arm("paper")
    assert {path.parent for path in (tmp_path / "home").rglob("*")} == {tmp_path / "home"}


def test_while_a_restore_is_under_way_every_book_is(tmp_path: Path) -> None:
    disarmed = DisarmedBooks(tmp_path)
    disarmed.disarm_all("restoring", NOW)
    assert disarmed.is_unfinished
    assert disarmed.reason("whatever") == "restoring"
    disarmed.arm("whatever")
    assert disarmed.reason("whatever") == "restoring"
    disarmed.name_them(["paper"], "restored", NOW)
    assert (disarmed.reason("whatever"), disarmed.reason("paper")) == (None, "restored")


def test_a_mark_that_cannot_be_read_counts(tmp_path: Path) -> None:
    disarmed = DisarmedBooks(tmp_path)
    disarmed.name_them(["paper"], "restored", NOW)
    for content in (b"", b"[]", b"\xff{", b'{"reason": ""}'):
        (disarmed.folder / "paper.json").write_bytes(content)
        assert disarmed.reason("paper") == "unreadable file"
