"""Arming: after a restore a book decides and sends nothing until the operator arms it, which is recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trading_lib.adapters.files.disarmed_books import DisarmedBooks
from trading_lib.domain.errors import InputError
from trading_lib.workflows.trade.stage_log import logged

if TYPE_CHECKING:
    from trading_lib.workflows.setup.settings import Settings

Result = dict[str, Any]


class BookDisarmedError(InputError):
    """A book has orders to send and must not: what its broker did since the restored state is unknown to it."""


def refuse_disarmed(book: str, settings: Settings) -> None:
    """Raise `BookDisarmedError` unless the book is armed."""
    disarmed = DisarmedBooks(settings.folders.home)
    reason = disarmed.reason(book)
    if reason is None:
        return
    remedy = (
        "run `trading restore-host` again until it is done"
        if disarmed.is_unfinished
        else f"compare its holdings and orders with its broker's, then `trading book arm --book {book} --by NAME`"
    )
    raise BookDisarmedError(f"book {book} is disarmed, so nothing is sent, sales neither ({reason})", remedy)


@logged("arming")
def arm_book(book: str, by: str, note: str = "", settings: Settings | None = None) -> Result:
    """Let a book send its orders again, and record who says so; a book that is armed stays so.

    Raises
    ------
    InputError
        When there is no such book, nobody is named, or a restore has not ended.
    """
    from trading_lib.adapters.stores.books.book_store import BookStore
    from trading_lib.adapters.stores.books.repair_store import RepairAction, RepairStore
    from trading_lib.adapters.stores.books.state_store import StateStore
    from trading_lib.workflows.setup.settings import load_settings

    active = settings or load_settings()
    engine = active.engine()
    stored = BookStore(engine).book(book)
    if not by.strip():
        raise InputError("arming a book needs the name of who does it", "give --by NAME")
    disarmed = DisarmedBooks(active.folders.home)
    if disarmed.is_unfinished:
        raise InputError("a restore has not ended, so no book can be armed", "run `trading restore-host` again")
    reason = disarmed.reason(book)
    if reason is None:
        return {"book": book, "armed": True, "changed": False}
    session = max(StateStore(engine).newest_session(book) or stored.opened_session, stored.opened_session)
    # Recorded first: a book that sends without a record is worse than one that has to be armed again.
    record = RepairStore(engine).add(book, session, RepairAction.ARM_BOOK, book, reason, note, by, active.clock())
    disarmed.arm(book)
    return {"book": book, "armed": True, "changed": True, "number": record.number, "by": by, "was": reason}
