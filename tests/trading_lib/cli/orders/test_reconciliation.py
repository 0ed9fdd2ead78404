"""`trading reconcile` and `trading recover`: what they print, and their exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from trading_lib.cli import main
from trading_lib.workflows.orders import reconciling, recovery, settling_breaks

BREAK = {
    "number": 3, "status": "open", "kind": "position", "symbol": "SPY", "ours": "10", "broker": "11",
    "explanation": "no trade explains it",
}  # fmt: skip
FOUND = {
    "book": "paper", "accounts": ["main"], "orders": 2, "positions": 1, "cash": {}, "breaks": [BREAK],
    "accepted": [{"number": 1}], "halted": True, "movements": {"main": {"count": 1, "total": "-0.02", "newest": [
        {"id": "m1", "kind": "FEE", "symbol": "", "amount": "-0.02", "explanation": "REG fee"}]}},
}  # fmt: skip
AGREED = {**FOUND, "breaks": [], "accepted": [], "halted": False}
RECOVERED: dict[str, Any] = {
    "steps": [{"step": 1, "name": "load the last stored state", "detail": "never settled"}],
    "unknown": 0, "halted": False, "seconds": 0.25,
}  # fmt: skip


def run(*arguments: str) -> int:
    try:
        main(list(arguments))
    except SystemExit as stop:
        return int(stop.code or 0)
    return 0


@pytest.mark.parametrize(("found", "code"), [(FOUND, 1), (AGREED, 0), ({**AGREED, "accounts": []}, 0)])
def test_breaks_make_exit_code_1(
    found: dict[str, Any], code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(reconciling, "reconcile_book", lambda book: found)
    assert run("reconcile", "--book", "paper", "--json") == code
    assert json.loads(capsys.readouterr().out) == found
    assert run("reconcile", "--book", "paper") == code
    text = capsys.readouterr().out
    assert ("buys nothing until its open breaks are settled" in text) == found["halted"]
    assert ("no account of book paper is at a real broker" in text) == (not found["accounts"])
    assert ("main: REG fee" in text) == ("-0.02 of the cash of main" in text) == bool(found["accounts"])


def test_a_break_is_settled_by_number_name_and_note(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[Any] = []

    def accept(*arguments: Any) -> dict[str, Any]:
        asked.append(arguments)
        return {"settled_as": "known", "did": "nothing was changed", "you_must": "undo it"}

    monkeypatch.setattr(settling_breaks, "accept_break", accept)
    given = ("--accept", "3", "--by", "Ada", "--note", "mine", "--as", "known")
    assert run("reconcile", "--book", "paper", *given) == 0
    assert asked == [("paper", 3, "Ada", "mine", "known")]
    assert "break 3 of book paper is settled as known by Ada" in capsys.readouterr().out


@pytest.mark.parametrize("option", [("--by", "Ada"), ("--note", "x"), ("--as", "known")])
def test_what_is_about_a_break_needs_its_number(
    option: tuple[str, str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run("reconcile", "--book", "paper", *option) == 2
    assert "give --accept NUMBER" in capsys.readouterr().err


@pytest.mark.parametrize(("changes", "code"), [({}, 0), ({"unknown": 1}, 1), ({"halted": True}, 1)])
def test_a_book_that_may_not_go_on_makes_exit_code_1(
    changes: dict[str, Any], code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(recovery, "recover_book", lambda *given: asked.append(given) or RECOVERED | changes)
    assert run("recover", "--book", "paper", "--cancel-working", "--wait", "90", "--json") == code
    assert asked == [("paper", True, 90.0)]
    assert json.loads(capsys.readouterr().out) == RECOVERED | changes
    assert run("recover", "--book", "paper") == code
    assert "1  load the last stored state: never settled" in capsys.readouterr().out
