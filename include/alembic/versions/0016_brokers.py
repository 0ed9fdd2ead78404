"""Real brokers: priced orders, the evidence of each event, armings, snapshots of brokers and differences to them."""

from __future__ import annotations

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

STATUSES = (
    "'INTENDED', 'DENIED', 'HELD', 'UNKNOWN', 'ABSENT', 'WORKING', 'PARTIALLY_FILLED', 'PENDING_CANCEL', 'FILLED',"
    " 'REJECTED', 'CANCELLED', 'EXPIRED'"
)
EARLIER_STATUSES = "'INTENDED', 'DENIED', 'UNKNOWN', 'WORKING', 'PARTIALLY_FILLED', 'FILLED', 'REJECTED', 'CANCELLED'"
# Statuses and events that are new -> the nearest that there were.
STATUSES_BEFORE = {"HELD": "DENIED", "ABSENT": "UNKNOWN", "PENDING_CANCEL": "WORKING", "EXPIRED": "CANCELLED"}


def upgrade() -> None:
    """Add the columns and tables; orders from before were market orders for the opening, sent once where sent."""
    _orders()
    _events()
    _tables()


def _orders() -> None:
    op.execute(
        """
        ALTER TABLE order_intents
            ADD COLUMN limit_price numeric,
            ADD COLUMN stop_price numeric,
            ADD COLUMN time_in_force text NOT NULL DEFAULT 'OPENING',
            ADD COLUMN leg text NOT NULL DEFAULT '',
            DROP CONSTRAINT uq_order_intents_book,
            ADD CONSTRAINT uq_order_intents_book UNIQUE (book, session, symbol, side, leg, slice),
            ADD CONSTRAINT ck_order_intents_limit_price CHECK (limit_price > 0 AND limit_price < 'Infinity'),
            ADD CONSTRAINT ck_order_intents_stop_price CHECK (stop_price > 0 AND stop_price < 'Infinity')
        """
    )
    op.execute("ALTER TABLE order_intents ALTER COLUMN time_in_force DROP DEFAULT, ALTER COLUMN leg DROP DEFAULT")
    op.execute(
        f"""
        ALTER TABLE orders
            ADD COLUMN account text,
            ADD COLUMN sent_at timestamptz,
            ADD COLUMN attempts integer NOT NULL DEFAULT 0,
            DROP CONSTRAINT ck_orders_status,
            ADD CONSTRAINT ck_orders_status CHECK (status IN ({STATUSES}))
        """
    )
    op.execute("ALTER TABLE orders ALTER COLUMN attempts DROP DEFAULT")
    op.execute(
        """
        UPDATE orders SET attempts = 1, sent_at = sent.at
        FROM (SELECT client_order_id, min(at) AS at FROM order_events WHERE event = 'SUBMIT' GROUP BY 1) AS sent
        WHERE sent.client_order_id = orders.client_order_id
        """
    )


def _events() -> None:
    op.execute(
        """
        ALTER TABLE order_events
            ADD COLUMN source text NOT NULL DEFAULT 'system',
            ADD COLUMN attempt integer NOT NULL DEFAULT 0,
            ADD COLUMN raw text NOT NULL DEFAULT ''
        """
    )
    op.execute(
        """
        ALTER TABLE order_events
            ALTER COLUMN source DROP DEFAULT, ALTER COLUMN attempt DROP DEFAULT, ALTER COLUMN raw DROP DEFAULT
        """
    )
    op.execute(
        """
        CREATE FUNCTION refuse_changed_rows() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'rows of % are only ever added', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
        END $$
        """
    )
    op.execute(
        """
        CREATE TRIGGER only_added BEFORE UPDATE OR DELETE ON order_events
        FOR EACH ROW EXECUTE FUNCTION refuse_changed_rows()
        """
    )


def _tables() -> None:
    op.execute(
        """
        CREATE TABLE book_armings (
            number integer NOT NULL,
            book text NOT NULL,
            account text NOT NULL,
            armed_from date NOT NULL,
            armed_until date NOT NULL,
            note text NOT NULL,
            armed_by text NOT NULL,
            armed_at timestamptz NOT NULL,
            revoked_by text,
            revoked_at timestamptz,
            CONSTRAINT pk_book_armings PRIMARY KEY (number),
            CONSTRAINT fk_book_armings_book FOREIGN KEY (book) REFERENCES books (name),
            CONSTRAINT ck_book_armings_order CHECK (armed_from <= armed_until)
        )
        """
    )
    op.execute("CREATE INDEX ix_book_armings_book_account ON book_armings (book, account)")
    op.execute(
        """
        CREATE TABLE broker_snapshots (
            number integer NOT NULL,
            book text NOT NULL,
            account text NOT NULL,
            session date NOT NULL,
            taken_at timestamptz NOT NULL,
            payload jsonb NOT NULL,
            CONSTRAINT pk_broker_snapshots PRIMARY KEY (number),
            CONSTRAINT fk_broker_snapshots_book FOREIGN KEY (book) REFERENCES books (name)
        )
        """
    )
    op.execute("CREATE INDEX ix_broker_snapshots_book_account_session ON broker_snapshots (book, account, session)")
    op.execute(
        """
        CREATE TABLE reconciliation_breaks (
            number integer NOT NULL,
            book text NOT NULL,
            account text NOT NULL,
            session date NOT NULL,
            kind text NOT NULL,
            symbol text NOT NULL,
            ours text NOT NULL,
            broker text NOT NULL,
            explanation text NOT NULL,
            status text NOT NULL,
            found_at timestamptz NOT NULL,
            settled_at timestamptz,
            settled_by text,
            note text NOT NULL,
            CONSTRAINT pk_reconciliation_breaks PRIMARY KEY (number),
            CONSTRAINT fk_reconciliation_breaks_book FOREIGN KEY (book) REFERENCES books (name),
            CONSTRAINT ck_reconciliation_breaks_status CHECK (status IN ('open', 'explained', 'accepted'))
        )
        """
    )
    op.execute("CREATE INDEX ix_reconciliation_breaks_book_status ON reconciliation_breaks (book, status)")


def downgrade() -> None:
    """Drop what was added; statuses that were not there become the nearest that were."""
    op.execute("DROP TABLE reconciliation_breaks, broker_snapshots, book_armings")
    op.execute("DROP TRIGGER only_added ON order_events")
    op.execute("DROP FUNCTION refuse_changed_rows()")
    op.execute("ALTER TABLE order_events DROP COLUMN source, DROP COLUMN attempt, DROP COLUMN raw")
    for status, before in STATUSES_BEFORE.items():
        op.execute(f"UPDATE orders SET status = '{before}' WHERE status = '{status}'")  # noqa: S608 - of this file
    op.execute(
        f"""
        ALTER TABLE orders
            DROP COLUMN account, DROP COLUMN sent_at, DROP COLUMN attempts,
            DROP CONSTRAINT ck_orders_status,
            ADD CONSTRAINT ck_orders_status CHECK (status IN ({EARLIER_STATUSES}))
        """
    )
    op.execute(
        """
        ALTER TABLE order_intents
            DROP CONSTRAINT uq_order_intents_book,
            DROP COLUMN limit_price, DROP COLUMN stop_price, DROP COLUMN time_in_force, DROP COLUMN leg,
            ADD CONSTRAINT uq_order_intents_book UNIQUE (book, session, symbol, side, slice)
        """
    )
