"""Breaks are stored once, found again as the same, and settled once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Engine

from tests.builders.books import NOW, SESSION, open_books
from trading_lib.adapters.stores.orders.break_store import ITSELF, BreakStore
from trading_lib.domain.errors import InputError
from trading_lib.execution.reconciliation.breaks import Break, BreakKind, BreakStatus

pytestmark = pytest.mark.postgres

LATER = NOW + timedelta(hours=1)
POSITION = Break(BreakKind.POSITION, "SPY", "10", "11", "no trade explains it")
DIVIDEND = Break(BreakKind.DIVIDEND, "GLD", "5.00", "4.00", "paid later", BreakStatus.EXPLAINED)


@pytest.fixture
def store(engine: Engine) -> BreakStore:
    open_books(engine, "paper", "demo")
    return BreakStore(engine)


def save(store: BreakStore, *found: Break, book: str = "paper", account: str = "main") -> list[int]:
    return [one.number for one in store.save(book, account, SESSION, found, NOW)]


def test_a_break_found_again_is_the_same_one(store: BreakStore) -> None:
    assert save(store, POSITION, DIVIDEND) == [1, 2]
    assert save(store, DIVIDEND, POSITION) == [2, 1]
    assert save(store, POSITION, book="demo") == [3]
    assert save(store, POSITION, account="coins") == [4]
    first = store.break_(1)
    assert (first.status, first.explanation, first.found_at) == (BreakStatus.OPEN, "no trade explains it", NOW)


def test_a_break_that_is_not_found_any_more_has_settled_itself(store: BreakStore) -> None:
    save(store, POSITION)
    store.save("paper", "main", SESSION, [], LATER)
    gone = store.break_(1)
    assert (gone.status, gone.settled_by, gone.settled_at) == (BreakStatus.EXPLAINED, ITSELF, LATER)
    # Should it come back, it is a new one.
    assert save(store, POSITION) == [2]


def test_a_break_that_is_not_looked_for_stays_open(store: BreakStore) -> None:
    save(store, POSITION)
    assert store.save("paper", "main", SESSION, [], LATER, complete=False) == ()
    assert store.break_(1).status is BreakStatus.OPEN


def test_a_break_that_is_explained_now_is_open_no_more(store: BreakStore) -> None:
    save(store, POSITION)
    split = replace(POSITION, explanation="split 2:1", status=BreakStatus.EXPLAINED)
    assert save(store, split) == [2]
    assert (store.break_(1).status, store.break_(1).note) == (BreakStatus.EXPLAINED, "split 2:1")
    assert store.breaks("paper", statuses=[BreakStatus.OPEN]) == []


def test_an_accepted_break_stays_accepted_when_it_is_found_again(store: BreakStore) -> None:
    save(store, POSITION)
    settled = store.settle(1, LATER, "ada", "shares from before")
    assert (settled.status, settled.settled_by, settled.note) == (BreakStatus.ACCEPTED, "ada", "shares from before")
    assert save(store, POSITION) == [1]
    assert store.break_(1).status is BreakStatus.ACCEPTED


def test_a_break_is_settled_once_and_an_unknown_one_is_named(store: BreakStore) -> None:
    save(store, POSITION)
    store.settle(1, LATER, "ada", "")
    with pytest.raises(InputError, match="break 1 of book paper is accepted already, by ada"):
        store.settle(1, LATER, "bob", "")
    with pytest.raises(InputError, match="no break 7"):
        store.settle(7, LATER, "bob", "")


def test_a_break_of_an_unknown_book_is_refused(store: BreakStore) -> None:
    with pytest.raises(InputError, match="no book 'other'"):
        save(store, POSITION, book="other")
