"""Perpetual futures of a book, and the funding it received."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; books from before held no perpetuals."""
    op.execute(
        """
        ALTER TABLE portfolio_state
            ADD COLUMN perpetuals jsonb NOT NULL DEFAULT '{}',
            ADD COLUMN funding numeric NOT NULL DEFAULT '0'
        """
    )


def downgrade() -> None:
    """Drop the columns and what they hold."""
    op.execute("ALTER TABLE portfolio_state DROP COLUMN perpetuals, DROP COLUMN funding")
