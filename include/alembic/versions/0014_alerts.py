"""Alerts, and where each of them went: the outbox that channels are served from."""

from __future__ import annotations

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the three tables."""
    op.execute(
        """
        CREATE TABLE alerts (
            number bigint GENERATED ALWAYS AS IDENTITY,
            reference text NOT NULL,
            key text NOT NULL,
            level text NOT NULL,
            title text NOT NULL,
            text text NOT NULL,
            source text NOT NULL,
            book text NOT NULL,
            session date,
            link text NOT NULL,
            raised_at timestamptz NOT NULL,
            occurrences integer NOT NULL,
            last_seen_at timestamptz NOT NULL,
            planned boolean NOT NULL,
            acknowledged_at timestamptz,
            acknowledged_by text,
            acknowledged_note text,
            CONSTRAINT pk_alerts PRIMARY KEY (number),
            CONSTRAINT uq_alerts_reference UNIQUE (reference),
            CONSTRAINT ck_alerts_level CHECK (level IN ('info', 'warning', 'critical', 'emergency'))
        )
        """
    )
    op.execute("CREATE INDEX ix_alerts_key_raised_at ON alerts (key, raised_at)")
    op.execute(
        """
        CREATE TABLE alert_pictures (
            alert bigint NOT NULL,
            name text NOT NULL,
            png bytea NOT NULL,
            CONSTRAINT pk_alert_pictures PRIMARY KEY (alert, name),
            CONSTRAINT fk_alert_pictures_alert FOREIGN KEY (alert) REFERENCES alerts (number) ON DELETE CASCADE
        )
        """
    )
    op.execute(
        """
        CREATE TABLE alert_deliveries (
            alert bigint NOT NULL,
            step smallint NOT NULL,
            channel text NOT NULL,
            state text NOT NULL,
            due_at timestamptz NOT NULL,
            try_at timestamptz NOT NULL,
            attempts integer NOT NULL,
            sent_at timestamptz,
            digest boolean NOT NULL,
            problem text NOT NULL,
            CONSTRAINT pk_alert_deliveries PRIMARY KEY (alert, step, channel),
            CONSTRAINT fk_alert_deliveries_alert FOREIGN KEY (alert) REFERENCES alerts (number) ON DELETE CASCADE,
            CONSTRAINT ck_alert_deliveries_state CHECK (state IN ('waiting', 'sent', 'given up'))
        )
        """
    )
    op.execute("CREATE INDEX ix_alert_deliveries_state_try_at ON alert_deliveries (state, try_at)")


def downgrade() -> None:
    """Drop the tables and everything in them."""
    op.execute("DROP TABLE alert_deliveries")
    op.execute("DROP TABLE alert_pictures")
    op.execute("DROP TABLE alerts")
