"""Whether the brokers of accounts can be reached before anything is sent, and what they let purchases cost."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from trading_lib.domain.book.accounts import Account
from trading_lib.domain.errors import BrokerUnavailableError
from trading_lib.workflows.trade.broker_access import AtBrokers, broker_of

LOG = logging.getLogger(__name__)


@dataclass
class Availability:
    """What brokers said of accounts.

    Attributes
    ----------
    buying_power
        Account -> dollars, of those that could be reached.
    away
        Account -> why its broker could not be.
    """

    buying_power: dict[str, Decimal] = field(default_factory=dict)
    away: dict[str, str] = field(default_factory=dict)

    def knows(self, account: Account) -> bool:
        """Whether the broker of the account was asked."""
        return account.name in self.buying_power or account.name in self.away


async def ask(run: AtBrokers, accounts: Iterable[Account], found: Availability) -> None:
    """Ask the brokers of accounts that were not asked yet."""
    for account in accounts:
        if found.knows(account):
            continue
        try:
            broker = broker_of(run, account)
            await broker.connect()
            try:
                found.buying_power[account.name] = (await broker.account()).buying_power
            finally:
                await broker.close()
        except BrokerUnavailableError as error:
            LOG.warning("account %s of book %s: %s", account.name, run.book.name, error.problem)
            found.away[account.name] = error.problem
