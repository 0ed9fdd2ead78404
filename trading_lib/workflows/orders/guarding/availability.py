"""Whether the brokers of accounts can be reached before anything is sent, and what they let purchases cost."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from trading_lib.domain.book.accounts import Account
from trading_lib.domain.errors import BrokerUnavailableError
from trading_lib.execution.broker import Broker
from trading_lib.workflows.trade.broker_access import AtBrokers, broker_of

LOG = logging.getLogger(__name__)
# A clock that is further off is told; one that is much further off may take a session for the current one that is not.
SKEW_TOLD, MOST_SKEW = timedelta(seconds=30), timedelta(minutes=2)


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
                skew = await skew_of(broker, run.settings.clock)
                if skew is not None and abs(skew) > MOST_SKEW:
                    off = f"this computer's clock is {abs(skew.total_seconds()):.0f} s off the one of {broker.name}"
                    raise BrokerUnavailableError(off, "set it")
                found.buying_power[account.name] = (await broker.account()).buying_power
            finally:
                await broker.close()
        except BrokerUnavailableError as error:
            LOG.warning("account %s of book %s: %s", account.name, run.book.name, error.problem)
            found.away[account.name] = error.problem


async def skew_of(broker: Broker, clock: Callable[[], datetime]) -> timedelta | None:
    """Return how far the broker's clock is ahead of ours; None where it does not tell its time."""
    asked = getattr(broker, "server_time", None)
    if asked is None:
        return None
    before = clock()
    there: datetime = await asked()
    # It was read somewhen in between.
    return there - (before + (clock() - before) / 2)
