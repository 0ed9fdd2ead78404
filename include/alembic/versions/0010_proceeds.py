"""What holdings without a price brought in the end."""

from __future__ import annotations

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    op.execute(
        """
        CREATE TABLE recorded_proceeds (
            book text NOT NULL,
            symbol text NOT NULL,
            session date NOT NULL,
            recorded_at timestamptz NOT NULL,
            books_on date NOT NULL,
            settled date NOT NULL,
            amount_per_share numeric NOT NULL,
            recorded_by text NOT NULL,
            note text NOT NULL,
            CONSTRAINT pk_recorded_proceeds PRIMARY KEY (book, symbol, session, recorded_at),
            CONSTRAINT fk_recorded_proceeds_book FOREIGN KEY (book) REFERENCES books (name),
            CONSTRAINT ck_recorded_proceeds_amount_per_share CHECK
                (amount_per_share >= 0 AND amount_per_share < 'Infinity')
        )
        """
    )


def downgrade() -> None:
    """Drop the table and everything in it."""
    op.execute("DROP TABLE recorded_proceeds")
