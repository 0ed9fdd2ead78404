from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine

from tests.builders.books import NOW, book
from tests.environment.database import table_contents
from trading_lib.adapters.stores.books.book_store import BookStore
from trading_lib.domain.book.books import BookKind
from trading_lib.domain.errors import InputError, NaiveDatetimeError

pytestmark = pytest.mark.postgres


def test_book_comes_back_as_it_was_opened(engine: Engine) -> None:
    store = BookStore(engine)
    later = book("live", kind=BookKind.LIVE, data_folder=None, created_at=NOW + timedelta(days=1))
    assert store.open_book(later) == later
    assert store.open_book(book()) == book()
    assert store.book("live") == later
    assert store.books() == (book(), later)


def test_opening_again_changes_nothing(engine: Engine) -> None:
    store = BookStore(engine)
    store.open_book(book())
    before = table_contents(engine, "books")
    again = book(created_at=NOW + timedelta(days=9), config_hash="changed", initial_cash=Decimal("100000.010"))
    assert store.open_book(again) == book()
    assert table_contents(engine, "books") == before


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("kind", BookKind.LIVE),
        ("data_source", "simulated"),
        ("data_folder", None),
        ("opened_session", date(2024, 1, 3)),
        ("initial_cash", Decimal("100000.02")),
    ],
)
def test_opening_as_another_book_names_the_field(engine: Engine, field: str, value: Any) -> None:
    store = BookStore(engine)
    store.open_book(book())
    with pytest.raises(InputError, match=f"book 'paper' exists with {field}"):
        store.open_book(book(**{field: value}))
    assert store.books() == (book(),)


def test_unknown_book_lists_the_known_ones(engine: Engine) -> None:
    store = BookStore(engine)
    with pytest.raises(InputError, match=r"there is no book .demo.: .trading run-daily --book NAME. opens one"):
        store.book("demo")
    store.open_book(book("paper"))
    store.open_book(book("live"))
    with pytest.raises(InputError, match="there is no book 'demo': use one of live, paper"):
        store.book("demo")


@pytest.mark.parametrize("cash", ["0", "-1", "NaN", "Infinity"])
def test_impossible_cash_is_refused(engine: Engine, cash: str) -> None:
    with pytest.raises(InputError, match="positive amount"):
        BookStore(engine).open_book(book(initial_cash=Decimal(cash)))


@pytest.mark.parametrize("name", ["", "  ", "a\x00b"])
def test_impossible_name_is_refused(engine: Engine, name: str) -> None:
    with pytest.raises(InputError, match="no name for a book"):
        BookStore(engine).open_book(book(name))


def test_naive_creation_time_is_refused(engine: Engine) -> None:
    with pytest.raises(NaiveDatetimeError):
        BookStore(engine).open_book(book(created_at=datetime(2024, 1, 1)))
