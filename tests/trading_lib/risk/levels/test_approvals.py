"""What an answer changes in the risk state, and what it does not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from tests.builders.decisions import advance_level, make_state
from tests.builders.markets import SESSION
from trading_lib.domain.book.approvals import Approval, Channel
from trading_lib.domain.decision.risk import RiskState
from trading_lib.risk.config import RiskConfig
from trading_lib.risk.levels.approvals import open_question, with_answer

MANUAL = RiskConfig(simulated_approval=False)
ASKED = date(2023, 12, 28)
WAITING = make_state(level=4, effective_level=4, awaiting_approval=True, question=ASKED)


def answer(approved: bool = True, session: date = ASKED, level: int = 4, note: str = "") -> Approval:
    at = datetime(2023, 12, 29, tzinfo=UTC)
    return Approval("paper", session, level, approved, "alice", at, note, Channel.AIRFLOW)


def test_an_approval_is_remembered_and_told() -> None:
    state, events = with_answer(WAITING, answer(note="seen"), SESSION)
    assert (state.approved, state.awaiting_approval, state.question) == (True, False, None)
    assert [(e.kind, e.reason, e.actions) for e in events] == [
        ("approval", "alice approved re-entry from level 4, asked in session 2023-12-28: seen", ("APPROVED",))
    ]
    found = advance_level(state, SESSION, 100_000, 0.10, MANUAL)
    assert (found.level, found.approved, found.question) == (4, True, None)


def test_a_rejection_asks_anew() -> None:
    state, events = with_answer(WAITING, answer(approved=False), SESSION)
    assert (state.approved, state.awaiting_approval) == (False, True)
    assert events[0].actions == ("REJECTED",)
    assert advance_level(state, SESSION, 100_000, 0.10, MANUAL).question == SESSION


@pytest.mark.parametrize(
    ("state", "given"),
    [
        (WAITING, None),
        (WAITING, answer(session=SESSION)),
        (WAITING, answer(level=3)),
        (replace(WAITING, question=None), answer()),
        (make_state(), answer()),
    ],
)
def test_what_does_not_answer_the_open_question_changes_nothing(state: RiskState, given: Approval | None) -> None:
    assert with_answer(state, given, SESSION) == (state, ())


def test_an_approval_of_level_3_is_none_of_level_4() -> None:
    state = make_state(level=3, effective_level=3, approved=True)
    found = advance_level(state, SESSION, 84_000, 0.10, MANUAL)
    assert (found.level, found.approved, found.question) == (4, False, SESSION)


def test_an_approval_ends_with_level_3() -> None:
    state = make_state(level=3, effective_level=3, approved=True, calm_sessions=4)
    down = advance_level(state, SESSION, 88_500, 0.10, MANUAL)
    assert (down.level, down.approved, down.question) == (2, False, None)


@pytest.mark.parametrize(
    ("level", "approved", "raised", "earlier", "expected"),
    [
        (2, False, False, ASKED, None),
        (3, True, False, ASKED, None),
        (3, False, True, None, SESSION),
        (3, False, False, ASKED, ASKED),
        (4, False, True, ASKED, SESSION),
        (4, False, False, None, SESSION),
    ],
)
def test_which_session_asks(
    level: int, approved: bool, raised: bool, earlier: date | None, expected: date | None
) -> None:
    assert open_question(level, approved, raised, earlier, SESSION) == expected
