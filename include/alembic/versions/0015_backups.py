"""Backups that were made, and restore drills that were held."""

from __future__ import annotations

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create both tables."""
    op.execute(
        """
        CREATE TABLE backups (
            id text NOT NULL,
            kind text NOT NULL,
            database text NOT NULL,
            destination text NOT NULL,
            started_at timestamptz NOT NULL,
            ended_at timestamptz NOT NULL,
            verified_at timestamptz NOT NULL,
            size bigint NOT NULL,
            sha256 text NOT NULL,
            state_hash text NOT NULL,
            audit_head text NOT NULL,
            schema_revision text NOT NULL,
            encrypted boolean NOT NULL,
            CONSTRAINT pk_backups PRIMARY KEY (id)
        )
        """
    )
    op.execute("CREATE INDEX ix_backups_kind_started_at ON backups (kind, started_at)")
    op.execute(
        """
        CREATE TABLE restore_drills (
            started_at timestamptz NOT NULL,
            backup text NOT NULL,
            passed boolean NOT NULL,
            problem text NOT NULL,
            decryption text NOT NULL,
            compared text NOT NULL,
            sessions integer NOT NULL,
            recovery_seconds double precision NOT NULL,
            loss_seconds double precision NOT NULL,
            code_version text NOT NULL,
            detail jsonb NOT NULL,
            CONSTRAINT pk_restore_drills PRIMARY KEY (started_at)
        )
        """
    )


def downgrade() -> None:
    """Drop both tables."""
    op.execute("DROP TABLE restore_drills")
    op.execute("DROP TABLE backups")
