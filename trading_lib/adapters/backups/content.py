"""What a database holds, table by table: how many rows, and a sum over them that no order of rows changes."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import URL, Connection, text

from trading_lib.adapters.stores.postgres.database import connect
from trading_lib.monitoring.backup.manifest import state_hash

# A row as text depends on these; they are the same wherever sums are compared.
SESSION = (
    "SET LOCAL timezone = 'UTC'",
    "SET LOCAL datestyle = 'ISO, YMD'",
    "SET LOCAL intervalstyle = 'iso_8601'",
    "SET LOCAL extra_float_digits = 1",
    "SET LOCAL bytea_output = 'hex'",
    "SET LOCAL search_path = pg_catalog",
)
TABLES = text("""
    SELECT n.nspname, c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND c.relpersistence <> 't'
        AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
    ORDER BY 1, 2
""")
VERSIONS = "alembic_version"
PUBLIC = "public"
# Tables whose rows are only ever added, each with the order in which they came; what else there is may change.
GROWING = (
    ("decisions", "created_at, book, session"),
    ("order_intents", "created_at, client_order_id"),
    ("order_events", "at, client_order_id, sequence"),
    ("book_repairs", "number"),
    ("capital_flows", "recorded_at, book, reference"),
    ("recorded_proceeds", "recorded_at, book, symbol"),
    ("approvals", "answered_at, book, session"),
    ("gate_results", "number"),
    ("model_versions", "created_at, name, version"),
    ("model_aliases", "number"),
    ("model_predictions", "stored_at, name, version, session, symbol"),
)
NOTHING = "0" * 64


@dataclass(frozen=True, slots=True)
class DatabaseContent:
    """The state of a database at one instant.

    Attributes
    ----------
    tables, sums
        Table -> rows, and the sum of their hashes; tables outside the schema public have its name before theirs.
    schema_revision
        Of alembic; "" where there is none.
    audit_head
        See `audit_head`.
    """

    tables: dict[str, int]
    sums: dict[str, str]
    schema_revision: str
    audit_head: str

    @property
    def state_hash(self) -> str:
        """Equal for equal contents."""
        return state_hash(self.tables, self.sums)


@contextmanager
def snapshot(url: URL) -> Iterator[tuple[Connection, str]]:
    """Hold one instant of a database still: yields a connection that sees it, and the name others see it by."""
    engine = connect(url.render_as_string(hide_password=False), application_name="trading-backup")
    try:
        with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
            connection.execute(text("SET TRANSACTION READ ONLY"))
            for setting in SESSION:
                connection.execute(text(setting))
            name = str(connection.execute(text("SELECT pg_export_snapshot()")).scalar_one())
            yield connection, name
    finally:
        engine.dispose()


def database_content(url: URL) -> DatabaseContent:
    """Read the content of a database as it is now."""
    with snapshot(url) as (connection, _):
        return content_of(connection)


def content_of(connection: Connection) -> DatabaseContent:
    """Read the content that ``connection``, one of `snapshot`, sees."""
    tables: dict[str, int] = {}
    sums: dict[str, str] = {}
    for schema, name in connection.execute(TABLES).all():
        place = f"{_quoted(schema)}.{_quoted(name)}"
        # The alias is no column's name, so the cast takes the whole row.
        row = connection.execute(
            text(f"""
                SELECT count(*), coalesce(sum(hashtextextended("whole row"::text, 0)::numeric), 0)
                FROM ONLY {place} AS "whole row"
            """)  # noqa: S608 - names from the catalogue, quoted
        ).one()
        shown = name if schema == PUBLIC else f"{schema}.{name}"
        tables[shown], sums[shown] = int(row[0]), str(row[1])
    return DatabaseContent(tables, sums, schema_revision(connection, tables), audit_head(connection, tables))


def content_tables(connection: Connection) -> list[str]:
    """Tables in the schema public."""
    return [str(name) for schema, name in connection.execute(TABLES).all() if schema == PUBLIC]


def audit_head(connection: Connection, tables: Collection[str]) -> str:
    """Hash over the newest row of every table that only grows, in a fixed order; "" where there is none of them.

    A row that is taken out of the end, changed there or added changes it. What lies before it is covered by the sums.
    """
    head, seen = NOTHING, False
    for table, order in GROWING:
        columns = order.split(", ")
        # MLflow's database has a table model_versions of its own.
        if table not in tables or not set(columns) <= _columns(connection, table):
            continue
        seen = True
        newest = ", ".join(f"{column} DESC" for column in columns)
        row = connection.execute(
            text(f'SELECT "whole row"::text FROM public.{table} AS "whole row" ORDER BY {newest} LIMIT 1')  # noqa: S608
        ).scalar()
        head = hashlib.sha256(f"{head}\n{table}\n{row or ''}".encode()).hexdigest()
    return head if seen else ""


def _columns(connection: Connection, table: str) -> set[str]:
    query = text("SELECT column_name FROM information_schema.columns WHERE table_schema = 'public' AND table_name = :t")
    return set(connection.execute(query, {"t": table}).scalars())


def difference(expected: DatabaseContent, found: DatabaseContent) -> str:
    """Say in words where two contents differ first; "" when they are equal."""
    return first_difference(expected.tables, expected.sums, found)


def first_difference(tables: dict[str, int], sums: dict[str, str], found: DatabaseContent) -> str:
    """Say in words where a content is not what ``tables`` and ``sums`` say; "" when it is."""
    for name in sorted({*tables, *found.tables}):
        if name not in found.tables:
            return f"table {name} is missing"
        if name not in tables:
            return f"table {name} should not be there"
        if tables[name] != found.tables[name]:
            return f"table {name} has {found.tables[name]} rows, not {tables[name]}"
        if sums[name] != found.sums[name]:
            return f"table {name} has other contents"
    return ""


def schema_revision(connection: Connection, tables: Collection[str]) -> str:
    """Revision of alembic, "" where there is none."""
    if VERSIONS not in tables:
        return ""
    rows = connection.execute(text(f"SELECT version_num FROM public.{VERSIONS} ORDER BY 1")).scalars()  # noqa: S608
    return ",".join(str(row) for row in rows)


def _quoted(name: str) -> str:
    # A colon would be read as the mark of a parameter.
    return '"' + name.replace('"', '""').replace(":", "\\:") + '"'
