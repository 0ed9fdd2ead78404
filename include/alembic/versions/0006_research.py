"""Results of gates, and points of sweeps that several workers share."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.execute(
        """
        CREATE TABLE gate_results (
            number integer NOT NULL,
            gate text NOT NULL,
            passed boolean NOT NULL,
            criteria jsonb NOT NULL,
            config_hash text NOT NULL,
            code_version text NOT NULL,
            data_source text NOT NULL,
            data_hash text NOT NULL,
            evidence jsonb NOT NULL,
            recorded_at timestamptz NOT NULL,
            previous_hash text NOT NULL,
            record_hash text NOT NULL,
            CONSTRAINT pk_gate_results PRIMARY KEY (number),
            CONSTRAINT uq_gate_results_record_hash UNIQUE (record_hash)
        )
        """
    )
    op.execute(
        """
        CREATE TABLE sweep_points (
            sweep text NOT NULL,
            point integer NOT NULL,
            "values" jsonb NOT NULL,
            status text NOT NULL,
            reason text NOT NULL,
            metrics jsonb NOT NULL,
            config_hash text NOT NULL,
            CONSTRAINT pk_sweep_points PRIMARY KEY (sweep, point)
        )
        """
    )


def downgrade() -> None:
    """Drop the tables and everything in them."""
    op.execute("DROP TABLE sweep_points")
    op.execute("DROP TABLE gate_results")
