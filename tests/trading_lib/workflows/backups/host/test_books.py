"""Restored books: what does not follow from the fills is named, and one broken book hides no other."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from tests.builders.price_folder import write_price_folder
from tests.builders.settings import make_settings
from tests.environment.backup_place import execute, fill
from trading_lib.workflows.backups.host.books import check_books
from trading_lib.workflows.data import fetch as fetching
from trading_lib.workflows.data import tasks as market_data
from trading_lib.workflows.trade.daily import trade_session

pytestmark = pytest.mark.postgres

FIRST, LAST = date(2020, 1, 2), date(2021, 2, 26)
BOOK = "demo-lost"


def test_a_book_is_rebuilt_from_its_fills_and_valued_again(database_url: str, tmp_path: Path) -> None:
    settings = make_settings(database_url, tmp_path / "home")
    prices = write_price_folder(tmp_path / "prices", FIRST, LAST)
    sessions = [settings.calendar.offset(date(2021, 2, 10), k) for k in range(2)]
    plans = [market_data.plan(session.isoformat(), "files", str(prices), BOOK, settings) for session in sessions]
    fetching.ingest_history(plans[-1], settings, sessions[-1])
    engine = settings.engine()
    trade_session(plans[0], settings)
    (first,) = check_books(settings, engine)
    assert first.unfinished > 0, "orders for the next opening wait at the broker"
    trade_session(plans[1], settings)
    fill(database_url, books=1, rows=1)

    def checked() -> dict[str, str]:
        return {book.name: book.problem for book in check_books(settings, engine)}

    (never, traded) = sorted(check_books(settings, engine), key=lambda book: book.name)
    assert (never.name, never.session, never.problem) == ("book 1", "", "")
    assert (traded.session, traded.problem) == (sessions[-1].isoformat(), "")
    assert traded.as_record()["armed"] is False
    execute(database_url, f"UPDATE portfolio_state SET nav = nav + 1 WHERE book = '{BOOK}'")
    assert "from cash and holdings" in checked()[BOOK]
    execute(database_url, f"UPDATE portfolio_state SET nav = nav - 1 + 5, cash = cash + 5 WHERE book = '{BOOK}'")
    problems = checked()
    assert "does not reconcile" in problems[BOOK]
    assert problems["book 1"] == ""
    engine.dispose()
