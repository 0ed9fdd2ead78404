"""The state of sources, their remembered answers, and the ledger of what was fetched."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TABLES = ("source_status", "raw_responses", "ingestions")


def upgrade() -> None:
    """Create the tables."""
    op.execute(
        """
        CREATE TABLE source_status (
            source text NOT NULL,
            status text NOT NULL,
            failures integer NOT NULL,
            blocked_until timestamptz,
            tokens double precision,
            tokens_at timestamptz,
            last_answer_at timestamptz,
            last_failure_at timestamptz,
            last_error text,
            CONSTRAINT pk_source_status PRIMARY KEY (source)
        )
        """
    )
    op.execute(
        """
        CREATE TABLE raw_responses (
            request text NOT NULL,
            retrieved_at timestamptz NOT NULL,
            as_of timestamptz NOT NULL,
            body bytea NOT NULL,
            CONSTRAINT pk_raw_responses PRIMARY KEY (request, retrieved_at)
        )
        """
    )
    op.execute("CREATE INDEX ix_raw_responses_retrieved_at ON raw_responses (retrieved_at)")
    op.execute(
        """
        CREATE TABLE ingestions (
            source text NOT NULL,
            scope text NOT NULL,
            first_day date NOT NULL,
            last_day date NOT NULL,
            symbols text[] NOT NULL,
            complete boolean NOT NULL,
            delivered jsonb NOT NULL,
            failures jsonb NOT NULL,
            fetched_at timestamptz NOT NULL,
            CONSTRAINT pk_ingestions PRIMARY KEY (source, scope, first_day, last_day)
        )
        """
    )


def downgrade() -> None:
    """Drop the tables and everything in them."""
    for table in reversed(TABLES):
        op.execute(f"DROP TABLE {table}")
