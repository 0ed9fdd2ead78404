"""A database of an earlier version is migrated, and the book in it goes on to the cent.

``cases/book_of_177a04c.sql.xz`` is what `pg_dump` wrote of a database in which revision 177a04c traded the book
``paper-old`` for 20 sessions on `write_price_folder` of the dates below, without the stored answers of the source.
"""

from __future__ import annotations

import lzma
import subprocess
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from tests.builders.price_folder import write_price_folder
from tests.builders.settings import make_settings
from tests.environment.database import MakeDatabase
from trading_lib.adapters.stores.books.order_store import OrderStore
from trading_lib.adapters.stores.books.state_store import StateStore
from trading_lib.adapters.stores.postgres.database import connect
from trading_lib.adapters.stores.postgres.migrations import require_current_revision, upgrade
from trading_lib.adapters.stores.postgres.server.programs import program
from trading_lib.domain.book.portfolio import Portfolio
from trading_lib.workflows.data import fetch as fetching
from trading_lib.workflows.data import tasks as market_data
from trading_lib.workflows.setup.settings import Settings
from trading_lib.workflows.trade.daily import trade_session

pytestmark = pytest.mark.postgres

DUMP = Path(__file__).resolve().parents[3] / "cases" / "book_of_177a04c.sql.xz"
FIRST, LAST = date(2020, 1, 2), date(2021, 2, 26)
OPENED, STORED, MORE = date(2021, 1, 4), 20, 14
BOOK = "paper-old"


@pytest.fixture(scope="module")
def prices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_price_folder(tmp_path_factory.mktemp("data") / "prices", FIRST, LAST)


@pytest.fixture
def old(empty_database_url: str) -> str:
    """URL of a database as revision 177a04c left it."""
    plain = empty_database_url.replace("postgresql+psycopg2", "postgresql")
    command = [str(program("psql")), "--quiet", "--no-psqlrc", "--set", "ON_ERROR_STOP=1", "--dbname", plain]
    subprocess.run(command, input=lzma.decompress(DUMP.read_bytes()), check=True, capture_output=True)
    return empty_database_url


def trade(settings: Settings, prices: Path, days: list[date]) -> None:
    def plan(day: date) -> market_data.Plan:
        return market_data.plan(day.isoformat(), "files", str(prices), BOOK, settings)

    fetching.ingest_history(plan(days[0]), settings, days[-1])
    for day in days:
        trade_session(plan(day), settings)


def history(engine: Engine, days: list[date]) -> list[Portfolio | None]:
    return [StateStore(engine).portfolio(BOOK, day) for day in days]


def test_a_book_opened_before_goes_on_to_the_cent(
    old: str, make_database: MakeDatabase, prices: Path, tmp_path: Path
) -> None:
    settings, fresh = (make_settings(url, tmp_path / name) for url, name in ((old, "old"), (make_database(), "new")))
    days = [settings.calendar.offset(OPENED, k) for k in range(STORED + MORE)]
    upgrade(old)
    require_current_revision(settings.engine())
    trade(settings, prices, days[STORED:])
    trade(fresh, prices, days)
    assert history(settings.engine(), days) == history(fresh.engine(), days)
    fills, expected = (OrderStore(one.engine()).fills(BOOK) for one in (settings, fresh))
    assert fills == expected
    assert len({fill.session for fill in fills} & set(days[STORED + 1 :])) > 1


def test_migrating_loses_nothing_of_money(old: str) -> None:
    tables = (
        "books",
        "order_intents",
        "orders",
        "order_events",
        "fills",
        "portfolio_state",
        "risk_state",
        "signal_log",
    )
    engine = connect(old)

    def counts() -> dict[str, int]:
        with engine.connect() as connection:
            return {name: connection.execute(text(f"SELECT count(*) FROM {name}")).scalar_one() for name in tables}

    before = counts()
    upgrade(old)
    assert counts() == before
    assert before["fills"] > 20
    engine.dispose()
