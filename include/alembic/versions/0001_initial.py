"""The walking skeleton's tables: market data, validation, decisions, orders, portfolio, risk, runs."""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# In the order of creation; a table comes after those it refers to.
TABLES = (
    "bars",
    "books",
    "factor_values",
    "macro",
    "quarantine",
    "validation_findings",
    "decision_stages",
    "decisions",
    "order_intents",
    "portfolio_state",
    "risk_events",
    "risk_state",
    "runs",
    "signal_log",
    "orders",
    "fills",
    "order_events",
)


def upgrade() -> None:
    """Create the tables."""
    op.execute(
        """
        CREATE TABLE bars (
            source text NOT NULL,
            symbol text NOT NULL,
            session date NOT NULL,
            open double precision,
            high double precision,
            low double precision,
            close double precision,
            adj_close double precision,
            volume double precision,
            dividend double precision,
            split double precision,
            adjustment text NOT NULL,
            available_at timestamptz NOT NULL,
            ingested_at timestamptz NOT NULL,
            CONSTRAINT pk_bars PRIMARY KEY (source, symbol, session, available_at)
        )
        """
    )
    op.execute(
        """
        CREATE TABLE books (
            name text NOT NULL,
            kind text NOT NULL,
            data_source text NOT NULL,
            data_folder text,
            opened_session date NOT NULL,
            initial_cash numeric NOT NULL,
            config_hash text NOT NULL,
            created_at timestamptz NOT NULL,
            CONSTRAINT pk_books PRIMARY KEY (name),
            CONSTRAINT ck_books_kind CHECK (kind IN ('demo', 'backtest', 'paper', 'live')),
            CONSTRAINT ck_books_initial_cash CHECK (initial_cash > 0 AND initial_cash < 'Infinity')
        )
        """
    )
    op.execute(
        """
        CREATE TABLE factor_values (
            source text NOT NULL,
            symbol text NOT NULL,
            session date NOT NULL,
            factor text NOT NULL,
            value double precision NOT NULL,
            CONSTRAINT pk_factor_values PRIMARY KEY (source, symbol, session, factor)
        )
        """
    )
    op.execute("CREATE INDEX ix_factor_values_source_session ON factor_values (source, session)")
    op.execute(
        """
        CREATE TABLE macro (
            source text NOT NULL,
            series text NOT NULL,
            observed date NOT NULL,
            value double precision,
            available_at timestamptz NOT NULL,
            ingested_at timestamptz NOT NULL,
            CONSTRAINT pk_macro PRIMARY KEY (source, series, observed, available_at)
        )
        """
    )
    op.execute(
        """
        CREATE TABLE quarantine (
            source text NOT NULL,
            symbol text NOT NULL,
            session date NOT NULL,
            open double precision,
            high double precision,
            low double precision,
            close double precision,
            adj_close double precision,
            volume double precision,
            dividend double precision,
            split double precision,
            adjustment text NOT NULL,
            available_at timestamptz NOT NULL,
            content_hash text NOT NULL,
            rules text[] NOT NULL,
            quarantined_at timestamptz NOT NULL,
            CONSTRAINT pk_quarantine PRIMARY KEY (source, symbol, session, available_at, content_hash)
        )
        """
    )
    op.execute(
        """
        CREATE TABLE validation_findings (
            source text NOT NULL,
            symbol text NOT NULL,
            session date NOT NULL,
            rule text NOT NULL,
            severity text NOT NULL,
            value double precision,
            message text NOT NULL,
            found_at timestamptz NOT NULL,
            CONSTRAINT pk_validation_findings PRIMARY KEY (source, symbol, session, rule)
        )
        """
    )
    op.execute("CREATE INDEX ix_validation_findings_source_session ON validation_findings (source, session)")
    op.execute(
        """
        CREATE TABLE decision_stages (
            book text NOT NULL,
            session date NOT NULL,
            stage text NOT NULL,
            payload jsonb NOT NULL,
            payload_hash text NOT NULL,
            created_at timestamptz NOT NULL,
            CONSTRAINT pk_decision_stages PRIMARY KEY (book, session, stage),
            CONSTRAINT fk_decision_stages_book FOREIGN KEY (book) REFERENCES books (name)
        )
        """
    )
    op.execute(
        """
        CREATE TABLE decisions (
            book text NOT NULL,
            session date NOT NULL,
            decided_at timestamptz NOT NULL,
            regime text NOT NULL,
            risk_level smallint NOT NULL,
            config_hash text NOT NULL,
            code_version text NOT NULL,
            payload jsonb NOT NULL,
            payload_hash text NOT NULL,
            created_at timestamptz NOT NULL,
            CONSTRAINT pk_decisions PRIMARY KEY (book, session),
            CONSTRAINT fk_decisions_book FOREIGN KEY (book) REFERENCES books (name)
        )
        """
    )
    op.execute(
        """
        CREATE TABLE order_intents (
            client_order_id text NOT NULL,
            book text NOT NULL,
            session date NOT NULL,
            symbol text NOT NULL,
            side text NOT NULL,
            slice integer NOT NULL,
            quantity numeric NOT NULL,
            expected_price numeric NOT NULL,
            estimated_commission numeric NOT NULL,
            order_type text NOT NULL,
            weight_change double precision NOT NULL,
            purpose text NOT NULL,
            reason text NOT NULL,
            created_at timestamptz NOT NULL,
            CONSTRAINT pk_order_intents PRIMARY KEY (client_order_id),
            CONSTRAINT uq_order_intents_book UNIQUE (book, session, symbol, side, slice),
            CONSTRAINT ck_order_intents_side CHECK (side IN ('BUY', 'SELL')),
            CONSTRAINT ck_order_intents_quantity CHECK (quantity > 0 AND quantity < 'Infinity'),
            CONSTRAINT ck_order_intents_expected_price CHECK (expected_price > 0 AND expected_price < 'Infinity'),
            CONSTRAINT fk_order_intents_book FOREIGN KEY (book) REFERENCES books (name)
        )
        """
    )
    op.execute(
        """
        CREATE TABLE portfolio_state (
            book text NOT NULL,
            session date NOT NULL,
            cash numeric NOT NULL,
            nav numeric NOT NULL,
            positions jsonb NOT NULL,
            marks jsonb NOT NULL,
            realised_pnl numeric NOT NULL,
            dividends numeric NOT NULL,
            costs numeric NOT NULL,
            CONSTRAINT pk_portfolio_state PRIMARY KEY (book, session),
            CONSTRAINT fk_portfolio_state_book FOREIGN KEY (book) REFERENCES books (name)
        )
        """
    )
    op.execute(
        """
        CREATE TABLE risk_events (
            book text NOT NULL,
            session date NOT NULL,
            sequence integer NOT NULL,
            kind text NOT NULL,
            symbol text NOT NULL,
            level_before smallint NOT NULL,
            level_after smallint NOT NULL,
            reason text NOT NULL,
            actions text[] NOT NULL,
            CONSTRAINT pk_risk_events PRIMARY KEY (book, session, sequence),
            CONSTRAINT fk_risk_events_book FOREIGN KEY (book) REFERENCES books (name)
        )
        """
    )
    op.execute(
        """
        CREATE TABLE risk_state (
            book text NOT NULL,
            session date NOT NULL,
            level smallint NOT NULL,
            effective_level smallint NOT NULL,
            peak double precision NOT NULL,
            reference_peak double precision NOT NULL,
            payload jsonb NOT NULL,
            CONSTRAINT pk_risk_state PRIMARY KEY (book, session),
            CONSTRAINT fk_risk_state_book FOREIGN KEY (book) REFERENCES books (name)
        )
        """
    )
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
    op.execute(
        """
        CREATE TABLE signal_log (
            book text NOT NULL,
            session date NOT NULL,
            symbol text NOT NULL,
            signal text NOT NULL,
            confidence double precision NOT NULL,
            target_weight double precision NOT NULL,
            actual_weight double precision NOT NULL,
            regime text NOT NULL,
            reason text NOT NULL,
            CONSTRAINT pk_signal_log PRIMARY KEY (book, session, symbol),
            CONSTRAINT fk_signal_log_book FOREIGN KEY (book) REFERENCES books (name)
        )
        """
    )
    op.execute(
        """
        CREATE TABLE orders (
            client_order_id text NOT NULL,
            book text NOT NULL,
            status text NOT NULL,
            broker text,
            broker_order_id text,
            filled_quantity numeric NOT NULL,
            detail text NOT NULL,
            updated_at timestamptz NOT NULL,
            CONSTRAINT pk_orders PRIMARY KEY (client_order_id),
            CONSTRAINT ck_orders_status CHECK (status IN (
                'INTENDED', 'DENIED', 'UNKNOWN', 'WORKING', 'PARTIALLY_FILLED', 'FILLED', 'REJECTED', 'CANCELLED'
            )),
            CONSTRAINT fk_orders_client_order_id FOREIGN KEY (client_order_id)
                REFERENCES order_intents (client_order_id),
            CONSTRAINT fk_orders_book FOREIGN KEY (book) REFERENCES books (name)
        )
        """
    )
    op.execute("CREATE INDEX ix_orders_book_status ON orders (book, status)")
    op.execute(
        """
        CREATE TABLE fills (
            broker text NOT NULL,
            trade_id text NOT NULL,
            client_order_id text NOT NULL,
            book text NOT NULL,
            session date NOT NULL,
            symbol text NOT NULL,
            side text NOT NULL,
            quantity numeric NOT NULL,
            price numeric NOT NULL,
            reference_price numeric NOT NULL,
            commission numeric NOT NULL,
            filled_at timestamptz NOT NULL,
            CONSTRAINT pk_fills PRIMARY KEY (broker, trade_id),
            CONSTRAINT ck_fills_side CHECK (side IN ('BUY', 'SELL')),
            CONSTRAINT ck_fills_quantity CHECK (quantity > 0 AND quantity < 'Infinity'),
            CONSTRAINT ck_fills_price CHECK (price > 0 AND price < 'Infinity'),
            CONSTRAINT fk_fills_client_order_id FOREIGN KEY (client_order_id) REFERENCES orders (client_order_id),
            CONSTRAINT fk_fills_book FOREIGN KEY (book) REFERENCES books (name)
        )
        """
    )
    op.execute("CREATE INDEX ix_fills_book_session ON fills (book, session)")
    op.execute("CREATE INDEX ix_fills_client_order_id ON fills (client_order_id)")
    op.execute(
        """
        CREATE TABLE order_events (
            client_order_id text NOT NULL,
            sequence integer NOT NULL,
            event text NOT NULL,
            status text NOT NULL,
            at timestamptz NOT NULL,
            detail text NOT NULL,
            CONSTRAINT pk_order_events PRIMARY KEY (client_order_id, sequence),
            CONSTRAINT fk_order_events_client_order_id FOREIGN KEY (client_order_id)
                REFERENCES orders (client_order_id)
        )
        """
    )


def downgrade() -> None:
    """Drop the tables and everything in them."""
    for table in reversed(TABLES):
        op.execute(f"DROP TABLE {table}")
