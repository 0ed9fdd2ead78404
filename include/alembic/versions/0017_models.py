"""Models: trainings, registered versions and their files, aliases, predictions, readings, events, importances."""

from __future__ import annotations

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

# Rows of these are only ever added.
IMMUTABLE = (
    *("model_files", "model_versions", "model_aliases"),
    *("model_predictions", "model_readings", "model_events"),
)


def upgrade() -> None:
    """Create the tables."""
    _trained()
    _registered()
    _used()
    for table in IMMUTABLE:
        op.execute(
            f"""
            CREATE TRIGGER only_added BEFORE UPDATE OR DELETE ON {table}
            FOR EACH ROW EXECUTE FUNCTION refuse_changed_rows()
            """
        )


def _trained() -> None:
    op.execute(
        """
        CREATE TABLE trainings (
            id text NOT NULL,
            first_session date NOT NULL,
            last_session date NOT NULL,
            data_source text NOT NULL,
            data_hash text NOT NULL,
            features text[] NOT NULL,
            request jsonb NOT NULL,
            configuration jsonb NOT NULL,
            config_hash text NOT NULL,
            code_version text NOT NULL,
            seed integer NOT NULL,
            mlflow_run text NOT NULL,
            report jsonb NOT NULL,
            started_at timestamptz NOT NULL,
            finished_at timestamptz NOT NULL,
            CONSTRAINT pk_trainings PRIMARY KEY (id)
        )
        """
    )
    op.execute("CREATE INDEX ix_trainings_finished_at ON trainings (finished_at)")
    op.execute(
        """
        CREATE TABLE model_files (
            sha256 text NOT NULL,
            content bytea NOT NULL,
            CONSTRAINT pk_model_files PRIMARY KEY (sha256),
            CONSTRAINT ck_model_files_size CHECK (octet_length(content) <= 16777216)
        )
        """
    )


def _registered() -> None:
    op.execute(
        """
        CREATE TABLE model_versions (
            name text NOT NULL,
            version integer NOT NULL,
            kind text NOT NULL,
            training text NOT NULL,
            trained_until date NOT NULL,
            features text[] NOT NULL,
            files jsonb NOT NULL,
            sha256 text NOT NULL,
            data_hash text NOT NULL,
            evidence jsonb NOT NULL,
            ranges jsonb NOT NULL,
            certificate text NOT NULL,
            created_at timestamptz NOT NULL,
            CONSTRAINT pk_model_versions PRIMARY KEY (name, version),
            CONSTRAINT uq_model_versions_name UNIQUE (name, sha256, data_hash),
            CONSTRAINT fk_model_versions_training FOREIGN KEY (training) REFERENCES trainings (id),
            CONSTRAINT ck_model_versions_version CHECK (version > 0)
        )
        """
    )
    op.execute(
        """
        CREATE TABLE model_aliases (
            number integer NOT NULL,
            name text NOT NULL,
            version integer NOT NULL,
            alias text,
            reason text NOT NULL,
            given_by text NOT NULL,
            given_at timestamptz NOT NULL,
            CONSTRAINT pk_model_aliases PRIMARY KEY (number),
            CONSTRAINT fk_model_aliases_version FOREIGN KEY (name, version) REFERENCES model_versions (name, version),
            CONSTRAINT ck_model_aliases_alias CHECK (alias IN ('candidate', 'challenger', 'champion'))
        )
        """
    )
    op.execute("CREATE INDEX ix_model_aliases_name_version ON model_aliases (name, version)")


def _used() -> None:
    op.execute(
        """
        CREATE TABLE model_predictions (
            name text NOT NULL,
            version integer NOT NULL,
            session date NOT NULL,
            symbol text NOT NULL,
            score double precision,
            rank double precision,
            abstained text NOT NULL,
            stored_at timestamptz NOT NULL,
            CONSTRAINT pk_model_predictions PRIMARY KEY (name, version, session, symbol),
            CONSTRAINT fk_model_predictions_version
                FOREIGN KEY (name, version) REFERENCES model_versions (name, version),
            CONSTRAINT ck_model_predictions_abstained CHECK ((score IS NULL) = (abstained <> ''))
        )
        """
    )
    op.execute("CREATE INDEX ix_model_predictions_session ON model_predictions (session)")
    op.execute(
        """
        CREATE TABLE model_readings (
            name text NOT NULL,
            version integer NOT NULL,
            session date NOT NULL,
            reading text NOT NULL,
            value double precision NOT NULL,
            stored_at timestamptz NOT NULL,
            CONSTRAINT pk_model_readings PRIMARY KEY (name, version, session, reading),
            CONSTRAINT fk_model_readings_version FOREIGN KEY (name, version) REFERENCES model_versions (name, version)
        )
        """
    )
    op.execute("CREATE INDEX ix_model_readings_reading_session ON model_readings (reading, session)")
    op.execute(
        """
        CREATE TABLE model_events (
            number integer NOT NULL,
            name text NOT NULL,
            version integer,
            kind text NOT NULL,
            session date,
            text text NOT NULL,
            detail jsonb NOT NULL,
            caused_by text NOT NULL,
            at timestamptz NOT NULL,
            CONSTRAINT pk_model_events PRIMARY KEY (number)
        )
        """
    )
    op.execute("CREATE INDEX ix_model_events_name_kind ON model_events (name, kind)")
    op.execute(
        """
        CREATE TABLE model_importances (
            name text NOT NULL,
            version integer NOT NULL,
            feature text NOT NULL,
            share double precision NOT NULL,
            CONSTRAINT pk_model_importances PRIMARY KEY (name, version, feature),
            CONSTRAINT fk_model_importances_version
                FOREIGN KEY (name, version) REFERENCES model_versions (name, version)
        )
        """
    )


def downgrade() -> None:
    """Drop the tables and everything in them."""
    op.execute("DROP TABLE model_importances, model_events, model_readings, model_predictions, model_aliases")
    op.execute("DROP TABLE model_versions, model_files, trainings")
