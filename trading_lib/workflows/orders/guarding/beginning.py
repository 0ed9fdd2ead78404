"""What an account has before its book has sent anything there: said before a comparison halts purchases."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trading_lib.domain.book.accounts import Account
from trading_lib.domain.book.portfolio import to_cent
from trading_lib.execution.broker import Broker

if TYPE_CHECKING:
    from trading_lib.workflows.trade.broker_access import AtBrokers


async def unlike_the_book(at: AtBrokers, account: Account, broker: Broker) -> str:
    """Say how an account differs from what its book begins with; "" where it does not, or the book has sent orders.

    Parameters
    ----------
    broker
        Of the account, connected.
    """
    from trading_lib.adapters.stores.orders.order_history import OrderHistory
    from trading_lib.workflows.orders.own_records import newest_portfolio

    if account.name in OrderHistory(at.engine).accounts(at.book.name).values():
        return ""
    held, there = await broker.positions(), to_cent((await broker.account()).cash)
    cash = at.settings.configuration.accounts.cash_of(newest_portfolio(at))[account.name]
    units = [f"{quantity:f} {symbol}" for symbol, quantity in sorted(held.items())]
    if not units and there == cash:
        return ""
    return (
        f"the account is not as the book begins: it has {', '.join([*units, f'{there:f} in cash'])}, and the book"
        f" {cash:f} in cash; `trading reconcile --book {at.book.name}` lists each difference as a break, and nothing is"
        " bought until they are settled. Trades from before the book's first session are left alone"
    )
