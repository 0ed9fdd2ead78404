"""Recorded proceeds of holdings without a price: from the operator or a data folder, booked at settlement."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trading_lib.accounting.proceeds import closing_record
from trading_lib.adapters.sources.files.proceeds import PROCEEDS_NAME, read_proceeds
from trading_lib.adapters.stores.books.book_store import BookStore
from trading_lib.adapters.stores.books.order_store import OrderStore
from trading_lib.adapters.stores.books.proceeds_store import ProceedsStore
from trading_lib.adapters.stores.books.state_store import StateStore
from trading_lib.domain.book.orders import Fill, Side
from trading_lib.domain.book.portfolio import to_cent
from trading_lib.domain.book.proceeds import (
    RECORDED,
    Proceeds,
    RecordedProceeds,
    amount_of_dollars,
    closing_id,
    in_force,
)
from trading_lib.domain.errors import InputError, one_of
from trading_lib.workflows.data.sources import market_store
from trading_lib.workflows.setup.settings import Settings, load_settings
from trading_lib.workflows.setup.source_choice import FILES
from trading_lib.workflows.trade.stage_log import logged

if TYPE_CHECKING:
    from trading_lib.workflows.trade.book_run import BookRun

LOG = logging.getLogger(__name__)
STAGE = "closings"


@logged("proceeds")
def record(
    book: str,
    symbol: str,
    amount_per_share: str,
    session: date,
    recorded_by: str,
    note: str,
    settings: Settings | None = None,
) -> dict[str, Any]:
    """Record what a held symbol without a price brought; the next settlement from ``session`` on books it.

    Until then it may be recorded again: the newest record counts.

    Raises
    ------
    InputError
        When the book does not exist or does not hold the symbol, the symbol has a price of that session or later, or
        the amount is none.
    """
    active = settings or load_settings()
    engine, amount = active.engine(), amount_of_dollars(amount_per_share)
    active.calendar.position(session)
    source = BookStore(engine).book(book).data_source
    with OrderStore(engine).book_lock(book):
        portfolio = StateStore(engine).latest_portfolio(book)
        held = portfolio.positions.get(symbol) if portfolio else None
        if portfolio is None or held is None:
            remedy = one_of(symbol, sorted(portfolio.positions)) if portfolio and portfolio.positions else "it is empty"
            raise InputError(f"book {book} holds no {symbol}", remedy)
        priced = market_store(active, engine).coverage(source).get(symbol)
        if priced is not None and priced[1] >= session:
            raise InputError(
                f"{symbol} has a price of {priced[1]}, so it can be sold on {session} and after",
                "record proceeds of a session after its last price",
            )
        entered = RecordedProceeds(
            book=book,
            proceeds=Proceeds(symbol, session, amount, note),
            books_on=max(session, active.calendar.next(portfolio.session)),
            settled=portfolio.session,
            recorded_by=recorded_by,
            recorded_at=active.clock(),
        )
        ProceedsStore(engine).add(entered)
    value, mark = to_cent(held.quantity * amount), portfolio.marks[symbol]
    return {
        "book": book,
        "symbol": symbol,
        "quantity": str(held.quantity),
        "amount_per_share": str(amount),
        "proceeds": str(value),
        "valued_at": str(to_cent(held.quantity * mark)),
        "session": session.isoformat(),
        "books_on": entered.books_on.isoformat(),
        "recorded_by": recorded_by,
        "note": note,
    }


def proceeds_due(run: BookRun, settled: date) -> tuple[Proceeds, ...]:
    """Return the proceeds recorded for the run's book, after entering those of its data folder.

    Parameters
    ----------
    settled
        The book's newest session.
    """
    _enter_those_of_folder(run, settled)
    return tuple(entry.due for entry in _in_force(run))


def recorded_until(run: BookRun) -> list[Proceeds]:
    """List what has been booked up to the run's session, where the symbol was held."""
    return [entry.due for entry in _in_force(run) if entry.books_on <= run.session]


def save_closings(run: BookRun, day: date, closed: Sequence[Fill]) -> None:
    """Note the executions that the session's proceeds lead to, before the portfolio without them is stored."""
    if closed:
        run.state.save_stage(run.book.name, day, STAGE, {"closings": [closing_record(fill) for fill in closed]})


def closings_until(run: BookRun) -> list[Fill]:
    """Return every closing that the book has booked up to the run's session, as settlement booked it."""
    closings = []
    for day in sorted({entry.books_on for entry in _in_force(run) if entry.books_on <= run.session}):
        for record in closings_of(run.state, run.book.name, day):
            price, free = Decimal(record["amount_per_share"]), Decimal(0)
            closings.append(
                Fill(
                    closing_id(day, record["symbol"]),
                    RECORDED,
                    closing_id(day, record["symbol"]),
                    record["symbol"],
                    Side.SELL,
                    Decimal(record["quantity"]),
                    price,
                    price,
                    free,
                    run.settings.calendar.open(day),
                    day,
                )
            )
    return closings


def closings_of(state: StateStore, book: str, session: date) -> list[dict[str, str]]:
    """List what proceeds closed in a session of a book."""
    stage = state.stage(book, session, STAGE)
    return list(stage["closings"]) if stage else []


def _in_force(run: BookRun) -> tuple[RecordedProceeds, ...]:
    return in_force(ProceedsStore(run.engine).history(run.book.name))


def _enter_those_of_folder(run: BookRun, settled: date) -> None:
    """Record what `proceeds.yaml` lists for the sessions to settle, unless the operator has recorded it already."""
    folder = run.plan.data
    if run.plan.source != FILES or not folder:
        return
    listed = read_proceeds(Path(folder), run.settings.configuration.universe)
    due = [entry for entry in listed if settled < entry.session <= run.session]
    if not due:
        return
    store = ProceedsStore(run.engine)
    history = store.history(run.book.name)
    waiting = {entry.proceeds.symbol for entry in in_force(history) if entry.books_on > settled}
    by, now = f"{Path(folder).name}/{PROCEEDS_NAME}", run.settings.clock()
    for entry in due:
        if entry.symbol not in waiting:
            store.add(RecordedProceeds(run.book.name, entry, entry.session, settled, by, now))
            LOG.info("proceeds of %s on %s come from %s", entry.symbol, entry.session, by)
