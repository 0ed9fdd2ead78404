"""How far the fills of each account have been read."""

from __future__ import annotations

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table; the one account of a book from before has been read up to its newest session."""
    op.execute(
        """
        CREATE TABLE account_cursors (
            book text NOT NULL,
            account text NOT NULL,
            cursor text NOT NULL,
            updated_at timestamptz NOT NULL,
            CONSTRAINT pk_account_cursors PRIMARY KEY (book, account),
            CONSTRAINT fk_account_cursors_book FOREIGN KEY (book) REFERENCES books (name)
        )
        """
    )
    op.execute(
        "INSERT INTO account_cursors SELECT book, 'main', max(session)::text, now() FROM portfolio_state GROUP BY book"
    )


def downgrade() -> None:
    """Drop the table: the next settlement asks for all fills again."""
    op.execute("DROP TABLE account_cursors")
