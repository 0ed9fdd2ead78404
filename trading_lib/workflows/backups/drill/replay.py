"""Deciding a book's last sessions again from a restored database: the decisions must be those that were stored."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection, Engine, text

from trading_lib.adapters.stores.postgres.json_codec import content_hash
from trading_lib.domain.errors import TradingError
from trading_lib.workflows.setup.code_version import code_version
from trading_lib.workflows.setup.settings import Settings
from trading_lib.workflows.stages.plans import SessionPlan
from trading_lib.workflows.trade import tasks as trading
from trading_lib.workflows.trade.book_run import BookRun

LOG = logging.getLogger(__name__)
STAGES = ("signals", "targets", "risk", "orders")
NEWEST = text("""
    SELECT d.book, d.session, d.code_version, d.config_hash, d.payload, d.payload_hash, b.data_source, b.data_folder
    FROM decisions d JOIN books b ON b.name = d.book
    WHERE (d.book, d.session) IN (
        SELECT book, session FROM (
            SELECT book, session, row_number() OVER (PARTITION BY book ORDER BY session DESC) AS place FROM decisions
        ) ranked WHERE place <= :sessions)
    ORDER BY d.book, d.session DESC
""")
# An order that was still open when the session was decided and is not any more: its state then is not stored.
OPEN_THEN = text("""
    SELECT count(*) FROM order_intents i JOIN orders o USING (client_order_id)
    WHERE i.book = :book AND i.session < :session AND (
        EXISTS (SELECT 1 FROM fills f WHERE f.client_order_id = i.client_order_id AND f.session > :session)
        OR EXISTS (
            SELECT 1 FROM order_events e
            WHERE e.client_order_id = i.client_order_id AND e.status = 'CANCELLED'
                AND e.at > (SELECT decided_at FROM decisions WHERE book = :book AND session = :session)))
""")
LATER_ORDERS = "SELECT client_order_id FROM order_intents WHERE book = :book AND session >= :session"
# What the session's decision made and everything after it, in the order of the references between tables.
TRUNCATION = (
    # The table refuses to lose rows, as it should; this is a copy that is thrown away.
    "ALTER TABLE order_events DISABLE TRIGGER USER",
    f"DELETE FROM fills WHERE book = :book AND (session > :session OR client_order_id IN ({LATER_ORDERS}))",  # noqa: S608
    f"DELETE FROM order_events WHERE client_order_id IN ({LATER_ORDERS})",  # noqa: S608
    f"DELETE FROM orders WHERE client_order_id IN ({LATER_ORDERS})",  # noqa: S608
    "DELETE FROM order_intents WHERE book = :book AND session >= :session",
    "DELETE FROM trade_history WHERE book = :book AND closed_session > :session",
    "DELETE FROM account_state WHERE book = :book AND session > :session",
    "DELETE FROM portfolio_state WHERE book = :book AND session > :session",
    "DELETE FROM decisions WHERE book = :book AND session >= :session",
    "DELETE FROM signal_log WHERE book = :book AND session >= :session",
    "DELETE FROM risk_events WHERE book = :book AND session >= :session",
    "UPDATE risk_events SET resolved_session = NULL WHERE book = :book AND resolved_session >= :session",
    "DELETE FROM risk_state WHERE book = :book AND session >= :session",
    "DELETE FROM decision_stages WHERE book = :book AND session > :session",
    "DELETE FROM decision_stages WHERE book = :book AND session = :session AND stage = ANY(:stages)",
)


@dataclass(frozen=True)
class Replayed:
    """What became of one session.

    Attributes
    ----------
    how
        "decided again", or "stored bytes compared" with the reason.
    problem
        "" where the decision is the stored one.
    """

    book: str
    session: date
    how: str
    problem: str

    @property
    def decided(self) -> bool:
        """Whether it was decided again."""
        return self.how == DECIDED

    def as_record(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {"book": self.book, "session": self.session.isoformat(), "how": self.how, "problem": self.problem}


DECIDED = "decided again"


def replay_decisions(engine: Engine, settings: Settings | None, sessions: int) -> list[Replayed]:
    """Decide the newest ``sessions`` of every book again, newest first; the database is a copy that is used up by it.

    Parameters
    ----------
    settings
        With the address of the same database; None where the configuration cannot be read: nothing is decided then.
    """
    with engine.connect() as connection:
        stored = connection.execute(NEWEST, {"sessions": sessions}).mappings().all()
    running = code_version()
    with _unheard():
        return [_replayed(engine, settings, dict(row), running) for row in stored]


@contextmanager
def _unheard() -> Iterator[None]:
    """Keep what the stages say out of the log: a risk event of a session that is decided again is no news."""
    stages = logging.getLogger(trading.__name__.rpartition(".")[0])
    before = stages.level
    stages.setLevel(logging.ERROR)
    try:
        yield
    finally:
        stages.setLevel(before)


def _replayed(engine: Engine, settings: Settings | None, row: dict[str, Any], running: str) -> Replayed:
    book, session = row["book"], row["session"]
    if content_hash(row["payload"]) != row["payload_hash"]:
        return Replayed(book, session, "stored bytes compared", "its stored payload does not have the stored hash")
    reason = _why_not(engine, settings, row, running)
    if reason or settings is None:
        return Replayed(book, session, f"stored bytes compared: {reason}", "")
    plan = SessionPlan(session=session, source="", source_name=row["data_source"], data=row["data_folder"], book=book)
    try:
        with engine.begin() as connection:
            truncate(connection, book, session)
        run = BookRun.open(plan, settings, engine=engine)
        for stage in (trading.signals, trading.targets, trading.risk, trading.orders):
            stage(plan, run)
        with engine.connect() as connection:
            query = text("SELECT payload_hash FROM decisions WHERE book = :book AND session = :session")
            found = connection.execute(query, {"book": book, "session": session}).scalar_one()
    except TradingError as error:
        return Replayed(book, session, DECIDED, " ".join(str(error).split()))
    return Replayed(book, session, DECIDED, "" if found == row["payload_hash"] else "another decision came out")


def _why_not(engine: Engine, settings: Settings | None, row: dict[str, Any], running: str) -> str:
    """Say why a session cannot be decided again as it was; "" where it can."""
    if settings is None:
        return "the configuration here cannot be read"
    if row["code_version"] != running:
        return f"decided by version {row['code_version']}, here runs {running}"
    if row["config_hash"] != settings.configuration.config_hash:
        return f"decided under configuration {row['config_hash']}, here is {settings.configuration.config_hash}"
    with engine.connect() as connection:
        if connection.execute(OPEN_THEN, {"book": row["book"], "session": row["session"]}).scalar_one():
            return "an order of an earlier session was open then"
    return ""


def truncate(connection: Connection, book: str, session: date, stages: Sequence[str] = STAGES) -> None:
    """Bring a book back to where the session was settled and nothing of it decided."""
    values = {"book": book, "session": session, "stages": list(stages)}
    for statement in TRUNCATION:
        named = {name: value for name, value in values.items() if f":{name}" in statement}
        connection.execute(text(statement), named)
