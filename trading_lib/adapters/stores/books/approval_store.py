"""The operator's answers to questions of risk control; every answer is written once and stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import date
from typing import Any

from sqlalchemy import Engine, select

from trading_lib.adapters.stores.postgres.immutable_rows import insert_once, writing
from trading_lib.adapters.stores.postgres.schema import approvals
from trading_lib.domain.book.approvals import Approval, Channel
from trading_lib.domain.market.sessions import require_aware

# The same verdict again is the same answer, whoever gives it and whenever; the first one's words stand.
CIRCUMSTANCES = ("answered_by", "answered_at", "note", "channel")


class ApprovalStore:
    """The answers of every book in one database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def save(self, approval: Approval) -> bool:
        """Store an answer; False when the same verdict is stored already.

        Raises
        ------
        DecisionConflictError
            When the question was answered the other way: that answer stands.
        InputError
            For an unknown book.
        """
        row = asdict(approval) | {
            "answered_at": require_aware(approval.answered_at, "answered_at"),
            "channel": str(approval.channel),
        }
        with writing(self._engine, approval.book) as connection:
            return insert_once(connection, approvals, row, ignoring=CIRCUMSTANCES)

    def answer(self, book: str, session: date) -> Approval | None:
        """Answer to the question that ``session`` asked, None when there is none."""
        query = select(approvals).where(approvals.c.book == book, approvals.c.session == session)
        with self._engine.connect() as connection:
            row = connection.execute(query).mappings().one_or_none()
        return None if row is None else _approval(row)

    def answers(self, book: str | None = None) -> list[Approval]:
        """All answers, or those of one book, by session asked."""
        query = select(approvals).order_by(approvals.c.session, approvals.c.book)
        if book is not None:
            query = query.where(approvals.c.book == book)
        with self._engine.connect() as connection:
            return [_approval(row) for row in connection.execute(query).mappings()]


def _approval(row: Mapping[Any, Any]) -> Approval:
    return Approval(**{**row, "channel": Channel(row["channel"])})
