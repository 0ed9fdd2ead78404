"""Decisions, stages, portfolios and risk states of a book, session by session; every row is written once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Engine, Table, func, select, union_all, update

from trading_lib.adapters.stores.books.state_rows import (
    account_rows,
    portfolio_from,
    portfolio_row,
    risk_event_from,
    risk_event_row,
    risk_from,
    risk_row,
    signal_from,
    signal_row,
)
from trading_lib.adapters.stores.postgres.immutable_rows import compare_group, insert_group, insert_once, writing
from trading_lib.adapters.stores.postgres.json_codec import content_hash, decode, encode
from trading_lib.adapters.stores.postgres.schema import (
    account_state,
    decision_stages,
    decisions,
    order_intents,
    portfolio_state,
    risk_events,
    risk_state,
    signal_log,
)
from trading_lib.domain.book.portfolio import ONLY_ACCOUNT, Portfolio
from trading_lib.domain.decision.record import DecisionRecord
from trading_lib.domain.decision.risk import RiskEvent, RiskState
from trading_lib.domain.decision.signals import TradeSignal
from trading_lib.domain.errors import InputError
from trading_lib.domain.market.sessions import require_aware
from trading_lib.risk.levels.resolution import is_over


def utc_now() -> datetime:
    """Return the present instant."""
    return datetime.now(UTC)


class StateStore:
    """Decisions, portfolios and risk states of every book in one database.

    Writing what is stored already returns False and changes nothing; writing something else under the same key
    raises `DecisionConflictError`. An unknown book is an `InputError`.

    Parameters
    ----------
    clock
        Gives ``created_at`` of rows.
    """

    def __init__(self, engine: Engine, clock: Callable[[], datetime] = utc_now) -> None:
        self._engine = engine
        self._clock = clock

    def save_stage(self, book: str, session: date, stage: str, payload: Mapping[str, Any]) -> bool:
        """Store what a stage returned; see `payloads.encode` for the values it may hold."""
        encoded = encode(payload)
        row = {
            "book": book,
            "session": session,
            "stage": stage,
            "payload": encoded,
            "payload_hash": content_hash(encoded),
            "created_at": require_aware(self._clock(), "the clock"),
        }
        with writing(self._engine, book) as connection:
            return insert_once(connection, decision_stages, row, ignoring=("created_at",))

    def stage(self, book: str, session: date, stage: str) -> dict[str, Any] | None:
        """Payload of a stage, None when it has not run; sequences come back as lists."""
        row = self._one(decision_stages, book=book, session=session, stage=stage)
        return None if row is None else decode(row["payload"])

    def stage_stored_at(self, book: str, session: date, stage: str) -> datetime | None:
        """When a stage was stored, None when it has not run."""
        row = self._one(decision_stages, book=book, session=session, stage=stage)
        return None if row is None else row["created_at"]

    def latest_stage(self, book: str, stage: str, before: date) -> tuple[date, dict[str, Any]] | None:
        """Session and payload of the newest run of a stage earlier than ``before``; None when there is none."""
        table = decision_stages
        query = (
            select(table)
            .where(table.c.book == book, table.c.stage == stage, table.c.session < before)
            .order_by(table.c.session.desc())
            .limit(1)
        )
        with self._engine.connect() as connection:
            row = connection.execute(query).mappings().one_or_none()
        return None if row is None else (row["session"], decode(row["payload"]))

    def save_decision(self, record: DecisionRecord) -> bool:
        """Store a decision; the time and the code version of the first one stand."""
        encoded = encode(record.payload)
        row = {
            "book": record.book,
            "session": record.session,
            "decided_at": require_aware(record.decided_at, "decided_at"),
            "regime": str(record.regime),
            "risk_level": record.risk_level,
            "config_hash": record.config_hash,
            "code_version": record.code_version,
            "payload": encoded,
            "payload_hash": content_hash(encoded),
            "created_at": require_aware(self._clock(), "the clock"),
        }
        with writing(self._engine, record.book) as connection:
            return insert_once(connection, decisions, row, ignoring=("created_at", "decided_at", "code_version"))

    def decision(self, book: str, session: date) -> DecisionRecord | None:
        """Return the stored decision of a session, None when there is none."""
        row = self._one(decisions, book=book, session=session)
        if row is None:
            return None
        return DecisionRecord(
            book=row["book"],
            session=row["session"],
            decided_at=require_aware(row["decided_at"], "decided_at"),
            regime=row["regime"],
            risk_level=row["risk_level"],
            config_hash=row["config_hash"],
            code_version=row["code_version"],
            payload=decode(row["payload"]),
        )

    def configurations(self, book: str) -> tuple[tuple[date, str], ...]:
        """First session and hash of each configuration that a book was decided under, oldest first."""
        table = decisions
        query = select(table.c.session, table.c.config_hash).where(table.c.book == book).order_by(table.c.session)
        with self._engine.connect() as connection:
            rows = [(row.session, row.config_hash) for row in connection.execute(query)]
        return tuple(row for i, row in enumerate(rows) if not i or row[1] != rows[i - 1][1])

    def last_session(self, book: str) -> date | None:
        """Newest session with a stored decision, None when there is none."""
        query = select(func.max(decisions.c.session)).where(decisions.c.book == book)
        with self._engine.connect() as connection:
            newest: date | None = connection.execute(query).scalar_one()
        return newest

    def decided_sessions(self, book: str) -> set[date]:
        """Sessions with a stored decision."""
        with self._engine.connect() as connection:
            return set(connection.execute(select(decisions.c.session).where(decisions.c.book == book)).scalars())

    def newest_session(self, book: str) -> date | None:
        """Newest session of which a book has a portfolio, stage, risk state, decision or order; None for a new book."""
        tables = (portfolio_state, decision_stages, risk_state, decisions, order_intents)
        newest = [select(func.max(table.c.session).label("session")).where(table.c.book == book) for table in tables]
        with self._engine.connect() as connection:
            newest_day: date | None = connection.execute(
                select(func.max(union_all(*newest).subquery().c.session))
            ).scalar()
        return newest_day

    def save_signals(self, book: str, signals: Sequence[TradeSignal], actual_weights: Mapping[str, float]) -> bool:
        """Store the signals of one session; a symbol absent from ``actual_weights`` has weight 0."""
        sessions = {signal.session for signal in signals}
        if len(sessions) != 1:
            raise InputError(f"{len(signals)} signals of {len(sessions)} sessions", "store one session at a time")
        rows = [signal_row(book, signal, actual_weights.get(signal.symbol, 0.0)) for signal in signals]
        with writing(self._engine, book) as connection:
            return insert_group(connection, signal_log, {"book": book, "session": sessions.pop()}, rows)

    def signals(self, book: str, session: date) -> list[tuple[TradeSignal, float]]:
        """Signals of a session with the weights held, by symbol."""
        rows = self._all(signal_log, "symbol", book=book, session=session)
        return [signal_from(row) for row in rows]

    def save_portfolio(self, book: str, portfolio: Portfolio, only_account: str = ONLY_ACCOUNT) -> bool:
        """Store the portfolio of ``portfolio.session`` and the cash of each account, in one transaction.

        Parameters
        ----------
        only_account
            Name of the account of a book that has one.
        """
        scope = {"book": book, "session": portfolio.session}
        with writing(self._engine, book) as connection:
            new = insert_once(connection, portfolio_state, portfolio_row(book, portfolio))
            if new:
                insert_group(connection, account_state, scope, account_rows(book, portfolio, only_account))
            return new

    def portfolio(self, book: str, session: date) -> Portfolio | None:
        """Portfolio of a session, None when there is none."""
        return self._with_accounts(book, self._one(portfolio_state, book=book, session=session))

    def latest_portfolio(self, book: str, before: date | None = None) -> Portfolio | None:
        """Newest portfolio, of a session earlier than ``before`` when that is given."""
        return self._with_accounts(book, self._newest(portfolio_state, book, before))

    def _with_accounts(self, book: str, row: Mapping[Any, Any] | None) -> Portfolio | None:
        if row is None:
            return None
        accounts = self._all(account_state, "account", book=book, session=row["session"])
        return portfolio_from(row, {account["account"]: account["cash"] for account in accounts})

    def adjusted_nav_history(self, book: str) -> list[tuple[date, float]]:
        """Session and net asset value as it would be had no capital come or gone, the oldest first."""
        rows = self._all(portfolio_state, "session", book=book)
        return [(row["session"], float(row["nav"]) / row["capital_factor"]) for row in rows]

    def nav_history(self, book: str) -> list[tuple[date, Decimal]]:
        """Session and net asset value, the oldest first."""
        return [(row["session"], row["nav"]) for row in self._all(portfolio_state, "session", book=book)]

    def save_risk(self, book: str, state: RiskState, events: Sequence[RiskEvent] = ()) -> bool:
        """Store the risk state of a session, what happened in it, and which events it ended, in one transaction.

        Of a stored event only the session that resolved it is ever changed, and that only once.
        """
        rows = [risk_event_row(book, sequence, event) for sequence, event in enumerate(events)]
        scope = {"book": book, "session": state.session}
        with writing(self._engine, book) as connection:
            new = insert_once(connection, risk_state, risk_row(book, state))
            if new:
                insert_group(connection, risk_events, scope, rows)
                _resolve(connection, book, state, events)
            else:
                compare_group(connection, risk_events, scope, rows)
            return new

    def risk_state(self, book: str, session: date) -> RiskState | None:
        """Risk state of a session, None when there is none."""
        row = self._one(risk_state, book=book, session=session)
        return None if row is None else risk_from(row)

    def latest_risk_state(self, book: str, before: date | None = None) -> RiskState | None:
        """Newest risk state, of a session earlier than ``before`` when that is given."""
        row = self._newest(risk_state, book, before)
        return None if row is None else risk_from(row)

    def risk_events(self, book: str, session: date | None = None) -> list[RiskEvent]:
        """Risk events of a book, or of one session of it, in the order they happened."""
        scope = {"book": book} if session is None else {"book": book, "session": session}
        return [risk_event_from(row) for row in self._all(risk_events, "session", "sequence", **scope)]

    def _one(self, table: Table, **key: Any) -> Mapping[Any, Any] | None:
        with self._engine.connect() as connection:
            query = select(table).where(*(table.c[name] == value for name, value in key.items()))
            return connection.execute(query).mappings().one_or_none()

    def _all(self, table: Table, *order: str, **scope: Any) -> Sequence[Mapping[Any, Any]]:
        query = select(table).where(*(table.c[name] == value for name, value in scope.items()))
        with self._engine.connect() as connection:
            return connection.execute(query.order_by(*(table.c[name] for name in order))).mappings().all()

    def _newest(self, table: Table, book: str, before: date | None) -> Mapping[Any, Any] | None:
        query = select(table).where(table.c.book == book)
        if before is not None:
            query = query.where(table.c.session < before)
        with self._engine.connect() as connection:
            return connection.execute(query.order_by(table.c.session.desc()).limit(1)).mappings().one_or_none()


def _resolve(connection: Connection, book: str, state: RiskState, events: Sequence[RiskEvent]) -> None:
    """Mark the open events of a book that ended with the session of ``state``."""
    table = risk_events
    mine = (table.c.book == book, table.c.session <= state.session, table.c.resolved_session.is_(None))
    for row in connection.execute(select(table).where(*mine)).mappings().all():
        if is_over(risk_event_from(row), state, events):
            this = (table.c.book == book, table.c.session == row["session"], table.c.sequence == row["sequence"])
            connection.execute(update(table).where(*this).values(resolved_session=state.session))
