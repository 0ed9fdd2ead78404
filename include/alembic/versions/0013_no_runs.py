"""The table of runs goes: nothing ever wrote or read it; Airflow and MLflow keep what runs did."""

from __future__ import annotations

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Drop the empty table."""
    op.execute("DROP TABLE runs")


def downgrade() -> None:
    """Create the table again, empty as it always was."""
    op.execute(
        """
        CREATE TABLE runs (
            id uuid NOT NULL,
            kind text NOT NULL,
            book text,
            session date,
            source text,
            status text NOT NULL,
            started_at timestamptz NOT NULL,
            finished_at timestamptz,
            detail jsonb NOT NULL,
            CONSTRAINT pk_runs PRIMARY KEY (id),
            CONSTRAINT fk_runs_book FOREIGN KEY (book) REFERENCES books (name)
        )
        """
    )
    op.execute("CREATE INDEX ix_runs_book_session ON runs (book, session)")
