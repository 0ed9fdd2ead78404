"""Answers to what risk control asks a person."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    op.execute(
        """
        CREATE TABLE approvals (
            book text NOT NULL,
            session date NOT NULL,
            level smallint NOT NULL,
            approved boolean NOT NULL,
            answered_by text NOT NULL,
            answered_at timestamptz NOT NULL,
            note text NOT NULL,
            channel text NOT NULL,
            CONSTRAINT pk_approvals PRIMARY KEY (book, session),
            CONSTRAINT fk_approvals_book FOREIGN KEY (book) REFERENCES books (name)
        )
        """
    )


def downgrade() -> None:
    """Drop the table and everything in it."""
    op.execute("DROP TABLE approvals")
