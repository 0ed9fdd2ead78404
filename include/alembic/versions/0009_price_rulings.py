"""Decisions about suspected splits."""

from __future__ import annotations

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    op.execute(
        """
        CREATE TABLE price_rulings (
            symbol text NOT NULL,
            session date NOT NULL,
            recorded_at timestamptz NOT NULL,
            split double precision,
            source text,
            note text NOT NULL,
            recorded_by text NOT NULL,
            CONSTRAINT pk_price_rulings PRIMARY KEY (symbol, session, recorded_at),
            CONSTRAINT ck_price_rulings_split CHECK (split > 0 AND split < 'Infinity')
        )
        """
    )


def downgrade() -> None:
    """Drop the table and everything in it."""
    op.execute("DROP TABLE price_rulings")
