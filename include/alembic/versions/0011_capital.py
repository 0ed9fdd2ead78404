"""Capital that comes to a book or leaves it, and the accounts its cash lies in."""

from __future__ import annotations

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add tables and columns; a book from before has had no flow, and one account with all its cash."""
    op.execute(
        """
        CREATE TABLE capital_flows (
            book text NOT NULL,
            reference text NOT NULL,
            kind text NOT NULL,
            session date NOT NULL,
            amount numeric NOT NULL,
            source_account text,
            target_account text,
            recorded_by text NOT NULL,
            note text NOT NULL,
            recorded_at timestamptz NOT NULL,
            CONSTRAINT pk_capital_flows PRIMARY KEY (book, reference),
            CONSTRAINT fk_capital_flows_book FOREIGN KEY (book) REFERENCES books (name),
            CONSTRAINT ck_capital_flows_amount CHECK (amount > 0 AND amount < 'Infinity'),
            CONSTRAINT ck_capital_flows_sides CHECK (source_account IS NOT NULL OR target_account IS NOT NULL)
        )
        """
    )
    op.execute(
        """
        ALTER TABLE portfolio_state
            ADD COLUMN deposits numeric NOT NULL DEFAULT '0',
            ADD COLUMN withdrawals numeric NOT NULL DEFAULT '0',
            ADD COLUMN capital_factor double precision NOT NULL DEFAULT '1'
        """
    )
    op.execute(
        """
        CREATE TABLE account_state (
            book text NOT NULL,
            session date NOT NULL,
            account text NOT NULL,
            cash numeric NOT NULL,
            CONSTRAINT pk_account_state PRIMARY KEY (book, session, account),
            CONSTRAINT fk_account_state_book FOREIGN KEY (book) REFERENCES books (name),
            CONSTRAINT fk_account_state_portfolio FOREIGN KEY (book, session)
                REFERENCES portfolio_state (book, session)
        )
        """
    )
    op.execute("INSERT INTO account_state SELECT book, session, 'main', cash FROM portfolio_state")


def downgrade() -> None:
    """Drop tables and columns and everything in them."""
    op.execute("DROP TABLE account_state")
    op.execute("ALTER TABLE portfolio_state DROP deposits, DROP withdrawals, DROP capital_factor")
    op.execute("DROP TABLE capital_flows")
