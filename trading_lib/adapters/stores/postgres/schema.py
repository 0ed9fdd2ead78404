"""The tables of the state database; `include/alembic/versions` creates them, a test proves both equal.

Those of models stand in `schema_models`.

Times are ``timestamptz``, money is ``NUMERIC``, research values are double precision. Every table about money
hangs on a book. Bars and macro values are versioned by ``available_at``: a revision is a new row.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Numeric,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import JSONB

# Declares the tables of models, which belong to the same metadata.
import trading_lib.adapters.stores.postgres.schema_models  # noqa: F401
from trading_lib.adapters.stores.postgres.columns import METADATA
from trading_lib.adapters.stores.postgres.columns import instant as _instant
from trading_lib.adapters.stores.postgres.columns import key as _key
from trading_lib.adapters.stores.postgres.columns import required as _required
from trading_lib.domain.book.books import BookKind
from trading_lib.domain.book.orders import OrderStatus, Side
from trading_lib.domain.market.positioning import COT_POSITIONS

metadata = METADATA


def _book(*, key: bool = False, nullable: bool = False) -> Column[Any]:
    return Column("book", Text, ForeignKey("books.name"), primary_key=key, nullable=nullable)


def _one_of(column: str, values: type[BookKind] | type[Side] | type[OrderStatus]) -> CheckConstraint:
    allowed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({allowed})", name=column)


def _positive(column: str) -> CheckConstraint:
    # NaN sorts above infinity in PostgreSQL, so one bound refuses both.
    return CheckConstraint(f"{column} > 0 AND {column} < 'Infinity'", name=column)


BAR_VALUES = ("open", "high", "low", "close", "adj_close", "volume", "dividend", "split")

bars = Table(
    "bars",
    metadata,
    _key("source", Text),
    _key("symbol", Text),
    _key("session", Date),
    *(Column(name, Double) for name in BAR_VALUES),
    _required("adjustment", Text),
    _instant("available_at", key=True),
    _instant("ingested_at"),
)

macro = Table(
    "macro",
    metadata,
    _key("source", Text),
    _key("series", Text),
    _key("observed", Date),
    Column("value", Double),
    _instant("available_at", key=True),
    _instant("ingested_at"),
)

# Settled funding rates of perpetual futures; symbol is the contract's base and quote.
funding = Table(
    "funding",
    metadata,
    _key("source", Text),
    _key("venue", Text),
    _key("symbol", Text),
    _instant("settled_at", key=True),
    Column("rate", Double),
    Column("interval_hours", Double),
    _instant("available_at", key=True),
    _instant("ingested_at"),
)

# Commitments of Traders; positions are numbers of contracts.
cot = Table(
    "cot",
    metadata,
    _key("source", Text),
    _key("report", Text),
    _key("market", Text),
    _key("report_date", Date),
    *(Column(name, Double) for name in COT_POSITIONS),
    _instant("available_at", key=True),
    _instant("ingested_at"),
)

# content_hash keeps two different bad bars of one session apart: neither may be lost.
quarantine = Table(
    "quarantine",
    metadata,
    _key("source", Text),
    _key("symbol", Text),
    _key("session", Date),
    *(Column(name, Double) for name in BAR_VALUES),
    _required("adjustment", Text),
    _instant("available_at", key=True),
    _key("content_hash", Text),
    _required("rules", ARRAY(Text)),
    _instant("quarantined_at"),
)

validation_findings = Table(
    "validation_findings",
    metadata,
    _key("source", Text),
    _key("symbol", Text),
    _key("session", Date),
    _key("rule", Text),
    _required("severity", Text),
    Column("value", Double),
    _required("message", Text),
    _instant("found_at"),
    Index(None, "source", "session"),
)

# What was decided about suspected splits: split is null where the price really moved, source where it holds for all.
price_rulings = Table(
    "price_rulings",
    metadata,
    _key("symbol", Text),
    _key("session", Date),
    _instant("recorded_at", key=True),
    Column("split", Double),
    Column("source", Text),
    _required("note", Text),
    _required("recorded_by", Text),
    _positive("split"),
)

factor_values = Table(
    "factor_values",
    metadata,
    _key("source", Text),
    _key("symbol", Text),
    _key("session", Date),
    _key("factor", Text),
    _required("value", Double),
    Index(None, "source", "session"),
)

books = Table(
    "books",
    metadata,
    _key("name", Text),
    _required("kind", Text),
    _required("data_source", Text),
    Column("data_folder", Text),
    _required("opened_session", Date),
    _required("initial_cash", Numeric),
    _required("config_hash", Text),
    _instant("created_at"),
    _one_of("kind", BookKind),
    _positive("initial_cash"),
)

decision_stages = Table(
    "decision_stages",
    metadata,
    _book(key=True),
    _key("session", Date),
    _key("stage", Text),
    _required("payload", JSONB),
    _required("payload_hash", Text),
    _instant("created_at"),
)

decisions = Table(
    "decisions",
    metadata,
    _book(key=True),
    _key("session", Date),
    _instant("decided_at"),
    _required("regime", Text),
    _required("risk_level", SmallInteger),
    _required("config_hash", Text),
    _required("code_version", Text),
    _required("payload", JSONB),
    _required("payload_hash", Text),
    _instant("created_at"),
)

signal_log = Table(
    "signal_log",
    metadata,
    _book(key=True),
    _key("session", Date),
    _key("symbol", Text),
    _required("signal", Text),
    _required("confidence", Double),
    _required("target_weight", Double),
    _required("actual_weight", Double),
    _required("regime", Text),
    _required("reason", Text),
)

order_intents = Table(
    "order_intents",
    metadata,
    _key("client_order_id", Text),
    _book(),
    _required("session", Date),
    _required("symbol", Text),
    _required("side", Text),
    _required("slice", Integer),
    _required("quantity", Numeric),
    _required("expected_price", Numeric),
    _required("estimated_commission", Numeric),
    _required("order_type", Text),
    Column("limit_price", Numeric),
    Column("stop_price", Numeric),
    _required("time_in_force", Text),
    _required("leg", Text),
    _required("weight_change", Double),
    _required("purpose", Text),
    _required("reason", Text),
    _instant("created_at"),
    UniqueConstraint("book", "session", "symbol", "side", "leg", "slice"),
    _one_of("side", Side),
    _positive("quantity"),
    _positive("expected_price"),
    _positive("limit_price"),
    _positive("stop_price"),
)

orders = Table(
    "orders",
    metadata,
    Column("client_order_id", Text, ForeignKey("order_intents.client_order_id"), primary_key=True),
    _book(),
    _required("status", Text),
    Column("broker", Text),
    Column("broker_order_id", Text),
    Column("account", Text),
    _instant("sent_at", nullable=True),
    _required("attempts", Integer),
    _required("filled_quantity", Numeric),
    _required("detail", Text),
    _instant("updated_at"),
    _one_of("status", OrderStatus),
    Index(None, "book", "status"),
)

# A trigger refuses to change or remove a row.
order_events = Table(
    "order_events",
    metadata,
    Column("client_order_id", Text, ForeignKey("orders.client_order_id"), primary_key=True),
    Column("sequence", Integer, primary_key=True, autoincrement=False),
    _required("event", Text),
    _required("status", Text),
    _instant("at"),
    _required("detail", Text),
    _required("source", Text),
    _required("attempt", Integer),
    _required("raw", Text),
)

fills = Table(
    "fills",
    metadata,
    _key("broker", Text),
    _key("trade_id", Text),
    Column("client_order_id", Text, ForeignKey("orders.client_order_id"), nullable=False),
    _book(),
    _required("session", Date),
    _required("symbol", Text),
    _required("side", Text),
    _required("quantity", Numeric),
    _required("price", Numeric),
    _required("reference_price", Numeric),
    _required("commission", Numeric),
    _instant("filled_at"),
    Column("voided_by", Integer, ForeignKey("book_repairs.number")),
    _one_of("side", Side),
    _positive("quantity"),
    _positive("price"),
    Index(None, "book", "session"),
    Index(None, "client_order_id"),
)

# What `book repair` did to a book that could not go on by itself; rows are only ever added.
book_repairs = Table(
    "book_repairs",
    metadata,
    Column("number", Integer, primary_key=True, nullable=False, autoincrement=False),
    _book(),
    _required("session", Date),
    _required("action", Text),
    _required("subject", Text),
    _required("detail", Text),
    _required("note", Text),
    _required("repaired_by", Text),
    _instant("repaired_at"),
    Index(None, "book", "session"),
)

# From when until when a book may send orders to an account that is at a real broker.
book_armings = Table(
    "book_armings",
    metadata,
    Column("number", Integer, primary_key=True, nullable=False, autoincrement=False),
    _book(),
    _required("account", Text),
    _required("armed_from", Date),
    _required("armed_until", Date),
    _required("note", Text),
    _required("armed_by", Text),
    _instant("armed_at"),
    Column("revoked_by", Text),
    _instant("revoked_at", nullable=True),
    CheckConstraint("armed_from <= armed_until", name="order"),
    Index(None, "book", "account"),
)

# What a broker said of an account: orders, positions, cash, fills.
broker_snapshots = Table(
    "broker_snapshots",
    metadata,
    Column("number", Integer, primary_key=True, nullable=False, autoincrement=False),
    _book(),
    _required("account", Text),
    _required("session", Date),
    _instant("taken_at"),
    _required("payload", JSONB),
    Index(None, "book", "account", "session"),
)

# Differences between a book and its broker. One without an explanation halts what adds risk until somebody settles it.
reconciliation_breaks = Table(
    "reconciliation_breaks",
    metadata,
    Column("number", Integer, primary_key=True, nullable=False, autoincrement=False),
    _book(),
    _required("account", Text),
    _required("session", Date),
    _required("kind", Text),
    _required("symbol", Text),
    _required("ours", Text),
    _required("broker", Text),
    _required("explanation", Text),
    _required("status", Text),
    _instant("found_at"),
    _instant("settled_at", nullable=True),
    Column("settled_by", Text),
    _required("note", Text),
    CheckConstraint("status IN ('open', 'explained', 'accepted')", name="status"),
    Index(None, "book", "status"),
)

portfolio_state = Table(
    "portfolio_state",
    metadata,
    _book(key=True),
    _key("session", Date),
    _required("cash", Numeric),
    _required("nav", Numeric),
    _required("positions", JSONB),
    _required("marks", JSONB),
    _required("realised_pnl", Numeric),
    _required("dividends", Numeric),
    _required("costs", Numeric),
    Column("perpetuals", JSONB, nullable=False, server_default="{}"),
    Column("funding", Numeric, nullable=False, server_default="0"),
    Column("deposits", Numeric, nullable=False, server_default="0"),
    Column("withdrawals", Numeric, nullable=False, server_default="0"),
    Column("capital_factor", Double, nullable=False, server_default="1"),
)

# Each account's part of the cash of `portfolio_state`.
account_state = Table(
    "account_state",
    metadata,
    _book(key=True),
    _key("session", Date),
    _key("account", Text),
    _required("cash", Numeric),
    ForeignKeyConstraint(
        ["book", "session"], ["portfolio_state.book", "portfolio_state.session"], name="fk_account_state_portfolio"
    ),
)

account_cursors = Table(
    "account_cursors",
    metadata,
    _book(key=True),
    _key("account", Text),
    _required("cursor", Text),
    _instant("updated_at"),
)

# The peaks are floats in `RiskState`: drawdown is a ratio, not an account.
risk_state = Table(
    "risk_state",
    metadata,
    _book(key=True),
    _key("session", Date),
    _required("level", SmallInteger),
    _required("effective_level", SmallInteger),
    _required("peak", Double),
    _required("reference_peak", Double),
    _required("payload", JSONB),
)

risk_events = Table(
    "risk_events",
    metadata,
    _book(key=True),
    _key("session", Date),
    Column("sequence", Integer, primary_key=True, autoincrement=False),
    _required("kind", Text),
    _required("symbol", Text),
    _required("level_before", SmallInteger),
    _required("level_after", SmallInteger),
    _required("reason", Text),
    _required("actions", ARRAY(Text)),
    # The session that resolved the event; the rest of a row never changes.
    Column("resolved_session", Date),
)

# What closing executions realised; the profit is gross_pnl - commission.
trade_history = Table(
    "trade_history",
    metadata,
    _book(key=True),
    _key("broker", Text),
    _key("trade_id", Text),
    _required("client_order_id", Text),
    _required("symbol", Text),
    _required("direction", Text),
    _required("opened_session", Date),
    _required("closed_session", Date),
    _required("holding_sessions", Integer),
    _required("quantity", Numeric),
    _required("entry_price", Numeric),
    _required("exit_price", Numeric),
    _required("gross_pnl", Numeric),
    _required("commission", Numeric),
    _required("realised_pnl", Numeric),
    _required("purpose", Text),
    _required("reason", Text),
    CheckConstraint("direction IN ('LONG', 'SHORT')", name="direction"),
    CheckConstraint("realised_pnl = gross_pnl - commission", name="realised_pnl"),
    _positive("quantity"),
    Index(None, "book", "closed_session"),
)

# A person's (or a simulated book's configuration's) answers; session is the one that asked.
approvals = Table(
    "approvals",
    metadata,
    _book(key=True),
    _key("session", Date),
    _required("level", SmallInteger),
    _required("approved", Boolean),
    _required("answered_by", Text),
    _instant("answered_at"),
    _required("note", Text),
    _required("channel", Text),
)

# What holdings without a price brought in the end: who recorded it, when and why. Rows are only added.
recorded_proceeds = Table(
    "recorded_proceeds",
    metadata,
    _book(key=True),
    _key("symbol", Text),
    _key("session", Date),
    _instant("recorded_at", key=True),
    _required("books_on", Date),
    _required("settled", Date),
    _required("amount_per_share", Numeric),
    _required("recorded_by", Text),
    _required("note", Text),
    CheckConstraint("amount_per_share >= 0 AND amount_per_share < 'Infinity'", name="amount_per_share"),
)

# Deposits, withdrawals and transfers between the accounts of a book. Rows are only added.
capital_flows = Table(
    "capital_flows",
    metadata,
    _book(key=True),
    _key("reference", Text),
    _required("kind", Text),
    _required("session", Date),
    _required("amount", Numeric),
    Column("source_account", Text),
    Column("target_account", Text),
    _required("recorded_by", Text),
    _required("note", Text),
    _instant("recorded_at"),
    CheckConstraint("amount > 0 AND amount < 'Infinity'", name="amount"),
    CheckConstraint("source_account IS NOT NULL OR target_account IS NOT NULL", name="sides"),
)

# How each market data source is doing: circuit breaker, rate limit, last answer and last failure.
source_status = Table(
    "source_status",
    metadata,
    _key("source", Text),
    _required("status", Text),
    _required("failures", Integer),
    _instant("blocked_until", nullable=True),
    Column("tokens", Double),
    _instant("tokens_at", nullable=True),
    _instant("last_answer_at", nullable=True),
    _instant("last_failure_at", nullable=True),
    Column("last_error", Text),
)

# Sources' answers of the last days, each with the time it was retrieved.
raw_responses = Table(
    "raw_responses",
    metadata,
    _key("request", Text),
    _instant("retrieved_at", key=True),
    _instant("as_of"),
    _required("body", LargeBinary),
    Index(None, "retrieved_at"),
)

# Which days of which symbols were fetched when, and what came of it: a backfill asks for nothing twice.
ingestions = Table(
    "ingestions",
    metadata,
    _key("source", Text),
    _key("scope", Text),
    _key("first_day", Date),
    _key("last_day", Date),
    _required("symbols", ARRAY(Text)),
    _required("complete", Boolean),
    _required("delivered", JSONB),
    _required("failures", JSONB),
    _instant("fetched_at"),
)

# What the gates found (docs/specification.md#backtest-gate); every record carries the hash of the one before it.
gate_results = Table(
    "gate_results",
    metadata,
    Column("number", Integer, primary_key=True, nullable=False, autoincrement=False),
    _required("gate", Text),
    _required("passed", Boolean),
    _required("criteria", JSONB),
    _required("config_hash", Text),
    _required("code_version", Text),
    _required("data_source", Text),
    _required("data_hash", Text),
    _required("evidence", JSONB),
    _instant("recorded_at"),
    _required("previous_hash", Text),
    _required("record_hash", Text),
    UniqueConstraint("record_hash"),
)

# Points of a sweep whose parts run on several workers.
sweep_points = Table(
    "sweep_points",
    metadata,
    _key("sweep", Text),
    Column("point", Integer, primary_key=True, nullable=False, autoincrement=False),
    _required("values", JSONB),
    _required("status", Text),
    _required("reason", Text),
    _required("metrics", JSONB),
    _required("config_hash", Text),
)

# What a person has to know; the reference is given by whoever raises it, so that a second storing changes nothing.
alerts = Table(
    "alerts",
    metadata,
    Column("number", BigInteger, Identity(always=True), primary_key=True, nullable=False),
    _required("reference", Text),
    _required("key", Text),
    _required("level", Text),
    _required("title", Text),
    _required("text", Text),
    _required("source", Text),
    _required("book", Text),
    Column("session", Date),
    _required("link", Text),
    _instant("raised_at"),
    _required("occurrences", Integer),
    _instant("last_seen_at"),
    _required("planned", Boolean),
    _instant("acknowledged_at", nullable=True),
    Column("acknowledged_by", Text),
    Column("acknowledged_note", Text),
    UniqueConstraint("reference"),
    CheckConstraint("level IN ('info', 'warning', 'critical', 'emergency')", name="level"),
    Index(None, "key", "raised_at"),
)

alert_pictures = Table(
    "alert_pictures",
    metadata,
    Column("alert", BigInteger, ForeignKey("alerts.number", ondelete="CASCADE"), primary_key=True),
    _key("name", Text),
    _required("png", LargeBinary),
)

# Where an alert goes: a channel at a step of the escalation, when it is due, and what became of it.
alert_deliveries = Table(
    "alert_deliveries",
    metadata,
    Column("alert", BigInteger, ForeignKey("alerts.number", ondelete="CASCADE"), primary_key=True),
    Column("step", SmallInteger, primary_key=True, autoincrement=False),
    _key("channel", Text),
    _required("state", Text),
    _instant("due_at"),
    _instant("try_at"),
    _required("attempts", Integer),
    _instant("sent_at", nullable=True),
    _required("digest", Boolean),
    _required("problem", Text),
    CheckConstraint("state IN ('waiting', 'sent', 'given up')", name="state"),
    Index(None, "state", "try_at"),
)

# Backups that were restored, compared, stored and read back; their manifests say more.
backups = Table(
    "backups",
    metadata,
    _key("id", Text),
    _required("kind", Text),
    _required("database", Text),
    _required("destination", Text),
    _instant("started_at"),
    _instant("ended_at"),
    _instant("verified_at"),
    _required("size", BigInteger),
    _required("sha256", Text),
    _required("state_hash", Text),
    _required("audit_head", Text),
    _required("schema_revision", Text),
    _required("encrypted", Boolean),
    Index(None, "kind", "started_at"),
)

# Restore drills: what was restored, how long it took, how much would have been lost, and what was compared.
restore_drills = Table(
    "restore_drills",
    metadata,
    _instant("started_at", key=True),
    _required("backup", Text),
    _required("passed", Boolean),
    _required("problem", Text),
    _required("decryption", Text),
    _required("compared", Text),
    _required("sessions", Integer),
    _required("recovery_seconds", Double),
    _required("loss_seconds", Double),
    _required("code_version", Text),
    _required("detail", JSONB),
)
