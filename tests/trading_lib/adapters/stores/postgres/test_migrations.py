import shutil
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, inspect, text

from tests.environment.database import MakeDatabase
from trading_lib.adapters.files.include_folder import include_folder
from trading_lib.adapters.stores.books.state_store import StateStore
from trading_lib.adapters.stores.postgres import migrations
from trading_lib.adapters.stores.postgres.database import connect
from trading_lib.adapters.stores.postgres.migrations import (
    create_when_empty,
    current_revision,
    head_revision,
    require_current_revision,
    upgrade,
)
from trading_lib.adapters.stores.postgres.schema import metadata
from trading_lib.domain.errors import StorageUnavailableError

pytestmark = pytest.mark.postgres

COLUMNS = """
    SELECT table_name, column_name, data_type, udt_name, is_nullable, column_default FROM information_schema.columns
    WHERE table_schema = 'public' AND table_name <> 'alembic_version' ORDER BY 1, 2
"""
CONSTRAINTS = """
    SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
    WHERE connamespace = 'public'::regnamespace AND conrelid::regclass::text <> 'alembic_version' ORDER BY 1, 2
"""
INDEXES = "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' AND tablename <> 'alembic_version' ORDER BY 1"
ANOTHER_REVISION = '''
"""A later step."""
from alembic import op
revision, down_revision, branch_labels, depends_on = "{later}", "{head}", None, None
def upgrade():
    op.execute("CREATE TABLE later (id integer)")
    op.execute("{second}")
def downgrade():
    op.execute("DROP TABLE later")
'''


HEAD = head_revision()
LATER = f"{int(HEAD) + 1:04d}"


def execute(url: str, *statements: str) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()


def tables(url: str) -> set[str]:
    engine = create_engine(url)
    names = set(inspect(engine).get_table_names())
    engine.dispose()
    return names


def problem(url: str) -> str:
    engine = connect(url)
    with pytest.raises(StorageUnavailableError) as caught:
        require_current_revision(engine)
    engine.dispose()
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def with_later_revision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Return a function that adds a revision to a copy of the migrations."""
    shutil.copytree(include_folder() / "alembic", tmp_path / "include 100%" / "alembic")

    def add(second_statement: str) -> None:
        versions = tmp_path / "include 100%" / "alembic" / "versions"
        step = ANOTHER_REVISION.format(second=second_statement, later=LATER, head=HEAD)
        (versions / f"{LATER}_later.py").write_text(step)
        monkeypatch.setenv("TRADING_INCLUDE", str(tmp_path / "include 100%"))

    return add


def test_upgrade_from_nothing_and_again(empty_database_url: str) -> None:
    assert current_revision(empty_database_url) is None
    assert upgrade(empty_database_url) == head_revision()
    assert upgrade(empty_database_url) == head_revision()
    assert current_revision(empty_database_url) == head_revision()
    engine = connect(empty_database_url)
    require_current_revision(engine)
    engine.dispose()


def test_migrated_schema_is_the_declared_one(database_url: str, empty_database_url: str) -> None:
    migrated, declared = create_engine(database_url), create_engine(empty_database_url)
    with migrated.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    # Alembic compares neither checks nor primary keys; the catalogue of a database made from the metadata does.
    metadata.create_all(declared)
    with migrated.connect() as ours, declared.connect() as theirs:
        for query in (COLUMNS, CONSTRAINTS, INDEXES):
            rows = [tuple(row) for row in ours.execute(text(query))]
            assert rows
            assert rows == [tuple(row) for row in theirs.execute(text(query))]
    migrated.dispose()
    declared.dispose()


def test_downgrade_removes_every_table(database_url: str) -> None:
    engine = create_engine(database_url)
    with engine.begin() as connection:
        configuration = Config()
        configuration.set_main_option("script_location", str(include_folder() / "alembic"))
        configuration.attributes["connection"] = connection
        command.downgrade(configuration, "base")
    engine.dispose()
    assert tables(database_url) == {"alembic_version"}


def test_a_book_from_before_accounts_has_one_with_all_its_cash(database_url: str) -> None:
    engine = create_engine(database_url)
    configuration = Config()
    configuration.set_main_option("script_location", str(include_folder() / "alembic"))
    with engine.begin() as connection:
        configuration.attributes["connection"] = connection
        command.downgrade(configuration, "0010")
        connection.execute(
            text(
                "INSERT INTO books VALUES ('old', 'paper', 'files:prices', NULL, '2024-01-02', 1000, 'hash', now());"
                "INSERT INTO portfolio_state"
                " (book, session, cash, nav, positions, marks, realised_pnl, dividends, costs)"
                " VALUES ('old', '2024-01-02', 1000, 1000, '{}', '{}', 0, 0, 0),"
                " ('old', '2024-01-03', 400.25, 1001.5, '{}', '{}', 0, 0, 0)"
            )
        )
        command.upgrade(configuration, "head")
        rows = connection.execute(text("SELECT session::text, account, cash FROM account_state ORDER BY 1")).all()
    assert [tuple(row) for row in rows] == [
        ("2024-01-02", "main", Decimal(1000)),
        ("2024-01-03", "main", Decimal("400.25")),
    ]
    held = StateStore(engine).latest_portfolio("old")
    assert held is not None
    assert (held.cash, held.accounts, held.deposits, held.capital_factor) == (Decimal("400.25"), {}, 0, 1.0)
    engine.dispose()


def test_empty_database_asks_for_an_upgrade(empty_database_url: str) -> None:
    message = problem(empty_database_url)
    assert "has no tables yet" in message
    assert "trading db upgrade" in message


def test_database_behind_asks_for_an_upgrade(database_url: str, with_later_revision) -> None:
    with_later_revision("SELECT 1")
    message = problem(database_url)
    assert f"is at revision {HEAD}, this version needs {LATER}" in message
    assert "trading db upgrade" in message
    assert upgrade(database_url) == LATER
    assert "later" in tables(database_url)


@pytest.mark.parametrize("stamped", [["0999"], [HEAD, "0999"]])
def test_database_ahead_is_refused_by_both(database_url: str, stamped: list[str]) -> None:
    execute(database_url, "DELETE FROM alembic_version")
    for revision in stamped:
        execute(database_url, f"INSERT INTO alembic_version VALUES ('{revision}')")
    assert "0999, which this version does not know" in problem(database_url)
    with pytest.raises(StorageUnavailableError, match="0999"):
        upgrade(database_url)


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (["DROP TABLE order_events"], "without order_events"),
        (["DELETE FROM alembic_version"], "no recorded revision"),
        (["DROP TABLE alembic_version", "DROP TABLE order_events"], "no recorded revision"),
    ],
)
def test_half_migrated_database_is_refused_by_both_and_left_alone(
    database_url: str, damage: list[str], named: str
) -> None:
    execute(database_url, *damage)
    before = tables(database_url)
    assert f"half-migrated: {f'at revision {HEAD} but ' if 'without' in named else 'it has'}" in problem(database_url)
    assert named in problem(database_url)
    with pytest.raises(StorageUnavailableError, match="half-migrated"):
        upgrade(database_url)
    assert tables(database_url) == before


@pytest.mark.parametrize("migrated", [True, False])
def test_failing_step_leaves_the_schema_as_it_was(
    make_database: MakeDatabase, migrated: bool, with_later_revision
) -> None:
    url = make_database(migrated=migrated)
    before = tables(url)
    with_later_revision("SELECT 1/0")
    with pytest.raises(StorageUnavailableError, match=r"rolled back: division by zero") as caught:
        upgrade(url)
    assert "\n" not in str(caught.value)
    assert tables(url) == before
    assert current_revision(url) == (HEAD if migrated else None)


def test_unknown_target_revision_is_named(empty_database_url: str) -> None:
    with pytest.raises(StorageUnavailableError, match="'0777'"):
        upgrade(empty_database_url, "0777")
    assert tables(empty_database_url) == set()


def test_upgrades_at_the_same_time_take_turns(empty_database_url: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(upgrade, [empty_database_url] * 4)) == [head_revision()] * 4


def test_upgrade_that_has_to_wait_too_long_says_so(empty_database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrations, "LOCK_WAIT", "50ms")
    engine = connect(empty_database_url)
    with engine.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": migrations.UPGRADE_LOCK})
        with pytest.raises(StorageUnavailableError, match="another upgrade"):
            upgrade(empty_database_url)
    engine.dispose()
    assert tables(empty_database_url) == set()


def test_an_empty_database_is_created_on_request_and_any_other_is_left_alone(empty_database_url: str) -> None:
    engine = create_engine(empty_database_url)
    assert create_when_empty(engine, empty_database_url)
    require_current_revision(engine)
    assert not create_when_empty(engine, empty_database_url)
    execute(empty_database_url, "DELETE FROM alembic_version")
    assert not create_when_empty(engine, empty_database_url)
    assert "half-migrated" in problem(empty_database_url)
    engine.dispose()
