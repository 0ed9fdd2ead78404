"""Arming: for some sessions a book may send orders to an account at a real broker; nothing else lets it.

`trading book arm` is another thing: it releases a book that was restored, and until then no arming counts.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from trading_lib.domain.book.accounts import Account, Endpoint
from trading_lib.domain.book.books import BookKind
from trading_lib.domain.errors import InputError
from trading_lib.workflows.trade.stage_log import logged

if TYPE_CHECKING:
    from trading_lib.adapters.stores.books.arming_store import Arming
    from trading_lib.workflows.setup.settings import Settings

Result = dict[str, Any]
MOST_SESSIONS = 30


class GatesMissingError(InputError):
    """A live account is to be armed, and nothing stored says that the gates were passed."""


def kind_problem(book: str, kind: BookKind, account: Account, simulator: bool = False) -> str:
    """Say why a book of this kind may not send to an account; "" where it may.

    Parameters
    ----------
    account
        At a real broker.
    simulator
        Whether the broker simulator stands in for it; then books for trying out may.
    """
    named = f"book {book} is a {kind} book, and account {account.name}"
    if kind in (BookKind.DEMO, BookKind.BACKTEST) and not simulator:
        return f"{named} is at {account.broker}, which is real"
    if (account.endpoint is Endpoint.LIVE) != (kind is BookKind.LIVE):
        return f"{named} is at the {account.endpoint or 'unknown'} endpoint of {account.broker}"
    return ""


@logged("arm")
def arm(
    book: str, account: str, first: date, last: date, by: str, note: str = "", settings: Settings | None = None
) -> Result:
    """Let a book send the orders of the sessions from ``first`` to ``last`` to an account, and record who says so.

    What is armed already stays so, and nothing is stored.

    Raises
    ------
    GatesMissingError
        When the account is live.
    InputError
        When there is no such book or account, the account needs no arming, nobody is named, or the sessions are in the
        past, none, or more than `MOST_SESSIONS`.
    """
    from trading_lib.adapters.stores.books.arming_store import ArmingStore
    from trading_lib.adapters.stores.books.book_store import BookStore
    from trading_lib.workflows.setup.settings import load_settings

    active = settings or load_settings()
    engine = active.engine()
    found = active.configuration.accounts.named(account)
    _refuse_account(BookStore(engine).book(book).kind, book, found, active)
    sessions = _sessions(first, last, active)
    if not by.strip():
        raise InputError("arming an account needs the name of who does it", "give --by NAME")
    arming, is_new = ArmingStore(engine).add(book, account, first, last, by, note, active.clock())
    return {**_record(arming, active), "sessions": sessions, "changed": is_new}


def _refuse_account(kind: BookKind, book: str, account: Account, settings: Settings) -> None:
    from trading_lib.workflows.trade.broker_access import is_real, simulator_stands_in

    if not is_real(account, settings):
        raise InputError(
            f"account {account.name} is at the simulated broker, which nothing has to be armed for",
            f"run a session of book {book}",
        )
    if account.endpoint is Endpoint.LIVE:
        raise GatesMissingError(
            f"account {account.name} is live, and a live account is armed only on stored evidence that the book has"
            " passed the gates; there is none",
            "trade it with `endpoint: paper` in execution.yaml",
        )
    if problem := kind_problem(book, kind, account, simulator_stands_in()):
        raise InputError(problem, "use a paper book")


def _sessions(first: date, last: date, settings: Settings) -> int:
    """Count the sessions of an arming, after checking them."""
    calendar = settings.calendar
    if first > last:
        raise InputError(f"--from {first} lies after --until {last}", "exchange them")
    newest = calendar.latest_decidable(settings.clock())
    if first < newest:
        raise InputError(
            f"--from {first} is past: the newest session is {newest}", "past sessions never reach a real broker"
        )
    count = len(calendar.between(first, last))
    if count == 0:
        raise InputError(f"there is no session from {first} to {last}", "arm at least one")
    if count > MOST_SESSIONS:
        latest = calendar.between(first, last)[MOST_SESSIONS - 1]
        raise InputError(
            f"{count} sessions lie between {first} and {last}, and at most {MOST_SESSIONS} are armed at once",
            f"use --until {latest} and arm again then",
        )
    return count


@logged("disarm")
def disarm(book: str, account: str | None, by: str, settings: Settings | None = None) -> Result:
    """End all armings of a book, in one account or in all of them; with none in force nothing changes."""
    from trading_lib.adapters.stores.books.arming_store import ArmingStore
    from trading_lib.adapters.stores.books.book_store import BookStore
    from trading_lib.workflows.setup.settings import load_settings

    active = settings or load_settings()
    engine = active.engine()
    BookStore(engine).book(book)
    if not by.strip():
        raise InputError("disarming needs the name of who does it", "give --by NAME")
    # An account that execution.yaml does not name any more can be disarmed all the same.
    numbers = ArmingStore(engine).revoke(book, account, by, active.clock())
    return {"book": book, "account": account, "revoked": list(numbers), "changed": bool(numbers)}


def armings(book: str | None = None, settings: Settings | None = None) -> Result:
    """List the armings of one book or of all, and whether each counts at this moment."""
    from trading_lib.adapters.stores.books.arming_store import ArmingStore
    from trading_lib.adapters.stores.books.book_store import BookStore
    from trading_lib.workflows.setup.settings import load_settings

    active = settings or load_settings()
    engine = active.engine()
    if book is not None:
        BookStore(engine).book(book)
    return {"armings": [_record(arming, active) for arming in ArmingStore(engine).armings(book)]}


def _record(arming: Arming, settings: Settings) -> Result:
    return {
        "number": arming.number,
        "book": arming.book,
        "account": arming.account,
        "from": arming.armed_from.isoformat(),
        "until": arming.armed_until.isoformat(),
        "state": _state(arming, settings),
        "by": arming.armed_by,
        "at": arming.armed_at.isoformat(),
        "note": arming.note,
        "revoked_by": arming.revoked_by,
        "revoked_at": arming.revoked_at.isoformat() if arming.revoked_at else None,
    }


def _state(arming: Arming, settings: Settings) -> str:
    """Tell whether an arming counts now, and why not."""
    from trading_lib.adapters.files.disarmed_books import DisarmedBooks

    newest = settings.calendar.latest_decidable(settings.clock())
    if arming.revoked_at is not None:
        return "revoked"
    if arming.armed_until < newest:
        return "over"
    if DisarmedBooks(settings.folders.home).reason(arming.book) is not None:
        return "not until released"
    return "to come" if arming.armed_from > newest else "in force"
