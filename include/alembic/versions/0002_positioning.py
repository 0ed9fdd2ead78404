"""Funding rates and Commitments of Traders."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TABLES = ("funding", "cot")


def upgrade() -> None:
    """Create the tables."""
    op.execute(
        """
        CREATE TABLE funding (
            source text NOT NULL,
            venue text NOT NULL,
            symbol text NOT NULL,
            settled_at timestamptz NOT NULL,
            rate double precision,
            interval_hours double precision,
            available_at timestamptz NOT NULL,
            ingested_at timestamptz NOT NULL,
            CONSTRAINT pk_funding PRIMARY KEY (source, venue, symbol, settled_at, available_at)
        )
        """
    )
    op.execute(
        """
        CREATE TABLE cot (
            source text NOT NULL,
            report text NOT NULL,
            market text NOT NULL,
            report_date date NOT NULL,
            open_interest double precision,
            nonreportable_long double precision,
            nonreportable_short double precision,
            noncommercial_long double precision,
            noncommercial_short double precision,
            noncommercial_spreading double precision,
            commercial_long double precision,
            commercial_short double precision,
            producer_long double precision,
            producer_short double precision,
            swap_long double precision,
            swap_short double precision,
            swap_spreading double precision,
            managed_money_long double precision,
            managed_money_short double precision,
            managed_money_spreading double precision,
            other_long double precision,
            other_short double precision,
            other_spreading double precision,
            available_at timestamptz NOT NULL,
            ingested_at timestamptz NOT NULL,
            CONSTRAINT pk_cot PRIMARY KEY (source, report, market, report_date, available_at)
        )
        """
    )


def downgrade() -> None:
    """Drop the tables and everything in them."""
    for table in reversed(TABLES):
        op.execute(f"DROP TABLE {table}")
