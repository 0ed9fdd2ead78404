"""What the command that repairs a book did, and the fills it struck."""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table, and the column that names the repair a fill was struck by."""
    op.execute(
        """
        CREATE TABLE book_repairs (
            number integer NOT NULL,
            book text NOT NULL,
            session date NOT NULL,
            action text NOT NULL,
            subject text NOT NULL,
            detail text NOT NULL,
            note text NOT NULL,
            repaired_by text NOT NULL,
            repaired_at timestamptz NOT NULL,
            CONSTRAINT pk_book_repairs PRIMARY KEY (number),
            CONSTRAINT fk_book_repairs_book FOREIGN KEY (book) REFERENCES books (name)
        )
        """
    )
    op.execute("CREATE INDEX ix_book_repairs_book_session ON book_repairs (book, session)")
    op.execute(
        "ALTER TABLE fills ADD COLUMN voided_by integer CONSTRAINT fk_fills_voided_by REFERENCES book_repairs (number)"
    )


def downgrade() -> None:
    """Drop both; a struck fill would count again, so a database that holds one stays as it is."""
    op.execute(
        """
        DO $$ BEGIN
            IF EXISTS (SELECT 1 FROM fills WHERE voided_by IS NOT NULL) THEN
                RAISE EXCEPTION 'fills were struck by a repair; the schema before it would count them again';
            END IF;
        END $$
        """
    )
    op.execute("ALTER TABLE fills DROP COLUMN voided_by")
    op.execute("DROP TABLE book_repairs")
