"""Closed trades with what they realised, and when the condition of a risk event ended."""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table, and add the column."""
    op.execute("ALTER TABLE risk_events ADD COLUMN resolved_session date")
    op.execute(
        """
        CREATE TABLE trade_history (
            book text NOT NULL,
            broker text NOT NULL,
            trade_id text NOT NULL,
            client_order_id text NOT NULL,
            symbol text NOT NULL,
            direction text NOT NULL,
            opened_session date NOT NULL,
            closed_session date NOT NULL,
            holding_sessions integer NOT NULL,
            quantity numeric NOT NULL,
            entry_price numeric NOT NULL,
            exit_price numeric NOT NULL,
            gross_pnl numeric NOT NULL,
            commission numeric NOT NULL,
            realised_pnl numeric NOT NULL,
            purpose text NOT NULL,
            reason text NOT NULL,
            CONSTRAINT pk_trade_history PRIMARY KEY (book, broker, trade_id),
            CONSTRAINT fk_trade_history_book FOREIGN KEY (book) REFERENCES books (name),
            CONSTRAINT ck_trade_history_direction CHECK (direction IN ('LONG', 'SHORT')),
            CONSTRAINT ck_trade_history_quantity CHECK (quantity > 0 AND quantity < 'Infinity'),
            CONSTRAINT ck_trade_history_realised_pnl CHECK (realised_pnl = gross_pnl - commission)
        )
        """
    )
    op.execute("CREATE INDEX ix_trade_history_book_closed_session ON trade_history (book, closed_session)")


def downgrade() -> None:
    """Drop the table and everything in it, and the column."""
    op.execute("DROP TABLE trade_history")
    op.execute("ALTER TABLE risk_events DROP COLUMN resolved_session")
