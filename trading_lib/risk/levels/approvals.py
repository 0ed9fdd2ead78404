"""Approvals by the operator: buying safe havens at level 3, leaving level 4. Selling never waits for one.

Input: yesterday's `RiskState` and the answer to its question. Output: the state the session starts from, and an event.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date

from trading_lib.domain.book.approvals import REVIEW_LEVEL, Approval
from trading_lib.domain.decision.risk import RiskEvent, RiskState

SUBJECTS = {3: "buying safe havens at level 3", 4: "re-entry from level 4"}


def with_answer(state: RiskState, answer: Approval | None, session: date) -> tuple[RiskState, tuple[RiskEvent, ...]]:
    """Apply the operator's answer to the open question of the state in ``session``.

    An approval holds until the level rises or falls below 3. After a rejection ``session`` asks anew. An answer to
    another question than the open one, and no answer, change nothing: without an approval there is no new risk.
    """
    if answer is None or state.question is None or (answer.session, answer.level) != (state.question, state.level):
        return state, ()
    verb = "approved" if answer.approved else "rejected"
    reason = f"{answer.answered_by} {verb} {SUBJECTS[state.level]}, asked in session {answer.session}"
    if answer.note:
        reason += f": {answer.note}"
    event = RiskEvent(session, "approval", "", state.level, state.level, reason, (verb.upper(),))
    return replace(state, approved=answer.approved, awaiting_approval=not answer.approved, question=None), (event,)


def answer_of_configuration(state: RiskState, session: date) -> tuple[RiskEvent, ...]:
    """Return the event of the automatic approval in a simulated book."""
    reason = f"{SUBJECTS[state.level]} is approved by the configuration (risk.yaml: simulated_approval)"
    return (RiskEvent(session, "approval", "", state.level, state.level, reason, ("APPROVED",)),)


def open_question(level: int, approved: bool, raised: bool, earlier: date | None, session: date) -> date | None:
    """Session that asks: the one that raised the level or followed a rejection; None when nothing is asked.

    Parameters
    ----------
    earlier
        The question that was open before this session.
    """
    if level < REVIEW_LEVEL or approved:
        return None
    return session if raised or earlier is None else earlier
