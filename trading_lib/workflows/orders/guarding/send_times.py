"""When the orders of a session can be sent: what the DAGs wait for before they send, without holding a worker."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING

from trading_lib.execution.send_window import WindowState, send_moment
from trading_lib.workflows.orders.guarding.guards import UNSENT, refusal, window_of
from trading_lib.workflows.trade.broker_access import BookAtBrokers, account_of, is_real

if TYPE_CHECKING:
    from trading_lib.workflows.setup.settings import Settings


def send_time(book: str, day: date, settings: Settings | None = None) -> datetime | None:
    """Return from when on the orders of a session can be sent; None when it is time, or nothing is to wait for.

    Orders at the simulated broker and those that are kept back wait for nothing.
    """
    from trading_lib.adapters.stores.books.book_store import BookStore
    from trading_lib.workflows.setup.settings import load_settings

    active = settings or load_settings()
    engine = active.engine()
    found = BookStore(engine).find(book)
    if found is None:
        return None
    run = BookAtBrokers(active, found, engine)
    orders = run.orders.orders(book, session=day, statuses=UNSENT)
    accounts = {account.name: account for account in (account_of(run, order) for order, _ in orders)}
    going = [a for a in accounts.values() if is_real(a, active) and not refusal(run, a, day)]
    now = active.clock()
    windows = [window_of(run, account, day) for account in going]
    moment = send_moment(window for window in windows if window.state(now) is not WindowState.CLOSED)
    return moment if moment is not None and now < moment else None
