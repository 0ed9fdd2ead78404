"""Hints of brokers that stream: something has filled, so the next look may come at once.

Nothing is stored of what a stream tells. It may be late, twice, out of order or not at all; the look asks by REST.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from contextlib import suppress
from typing import TYPE_CHECKING

from trading_lib.adapters.stores.books.account_store import AccountStore
from trading_lib.adapters.stores.books.book_store import BookStore
from trading_lib.domain.book.accounts import Account
from trading_lib.domain.book.orders import OPEN_STATUSES
from trading_lib.domain.errors import BrokerUnavailableError
from trading_lib.execution.broker import Broker
from trading_lib.workflows.trade.broker_access import BookAtBrokers, account_of, broker_of, capabilities, is_real

if TYPE_CHECKING:
    from trading_lib.workflows.setup.settings import Settings


def wait_for_hint(seconds: float, book: str | None = None, settings: Settings | None = None) -> bool:
    """Wait until a broker tells of a fill that is not stored yet, or the time is over; return whether one did."""
    from trading_lib.workflows.setup.settings import load_settings

    active = settings or load_settings()
    engine = active.engine()
    store = BookStore(engine)
    books = [store.book(book)] if book else list(store.books())
    streams = [
        (run, account) for run in (BookAtBrokers(active, one, engine) for one in books) for account in _streaming(run)
    ]
    return asyncio.run(_first(streams, seconds))


def _streaming(run: BookAtBrokers) -> list[Account]:
    """Accounts with open orders at real brokers that stream."""
    orders = run.orders.orders(run.book.name, statuses=OPEN_STATUSES)
    accounts = {account.name: account for account in (account_of(run, order) for order, _ in orders)}
    return [a for a in accounts.values() if is_real(a, run.settings) and capabilities(a, run.settings).streams]


async def _first(streams: Collection[tuple[BookAtBrokers, Account]], seconds: float) -> bool:
    listening = [asyncio.create_task(_hint(run, account)) for run, account in streams]
    over = asyncio.create_task(asyncio.sleep(seconds, False))
    waiting = {over, *listening}
    try:
        while True:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            # A stream that has ended says nothing; the others, and the time, go on.
            if over in done or any(one.result() for one in done):
                return over not in done
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def _hint(run: BookAtBrokers, account: Account) -> bool:
    broker = broker_of(run, account)
    try:
        await broker.connect()
        return await _news(run, account, broker)
    except BrokerUnavailableError:
        return False
    finally:
        with suppress(BrokerUnavailableError):
            await broker.close()


async def _news(run: BookAtBrokers, account: Account, broker: Broker) -> bool:
    cursor = AccountStore(run.engine).cursors(run.book.name).get(account.name, "")
    known = {fill.trade_id for fill in run.orders.fills(run.book.name) if fill.broker == broker.name}
    # The cursor is the settlement's: what was stored since is told again.
    async for execution in broker.subscribe(cursor):
        if execution.trade_id not in known:
            return True
    return False
