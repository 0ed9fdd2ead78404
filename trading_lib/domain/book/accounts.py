"""Accounts of a book: where the assets of each class are held and which cash pays for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any

from trading_lib.domain.book.portfolio import ONLY_ACCOUNT, Portfolio, to_cent
from trading_lib.domain.errors import InputError, one_of
from trading_lib.domain.market.instruments import AssetClass

# Books are kept in it, and so are all prices.
CURRENCY = "USD"
SIMULATED = "paper"


class Endpoint(StrEnum):
    """Whether real money is behind an account."""

    PAPER = "paper"
    LIVE = "live"


@dataclass(frozen=True, slots=True)
class Account:
    """An account at a broker.

    Attributes
    ----------
    name
        As commands and reports call it.
    broker, broker_account
        Which broker, and its own id of the account, "" where it has only one.
    asset_classes
        What is traded in it.
    share
        Part of a book's initial cash that it starts with.
    endpoint
        None at the simulated broker.
    as_usd
        Whether a unit of ``currency`` is counted as a dollar. A stablecoin is not a dollar, so its owner has to say so.
    fallback
        Account that takes the orders while this one's broker cannot be reached, "" for none: they wait.
    """

    name: str = ONLY_ACCOUNT
    broker: str = SIMULATED
    broker_account: str = ""
    currency: str = CURRENCY
    asset_classes: tuple[AssetClass, ...] = tuple(AssetClass)
    share: Decimal = Decimal(1)
    endpoint: Endpoint | None = None
    as_usd: bool = False
    fallback: str = ""

    def as_record(self) -> dict[str, Any]:
        """Return the account as JSON values; what is as it always was before it could be said is left out."""
        said = {"endpoint": str(self.endpoint)} if self.endpoint else {}
        return {
            **said,
            **({"as_usd": True} if self.as_usd else {}),
            **({"fallback": self.fallback} if self.fallback else {}),
            "broker": self.broker,
            "broker_account": self.broker_account,
            "currency": self.currency,
            "asset_classes": [str(asset_class) for asset_class in self.asset_classes],
            "share": f"{self.share.normalize():f}",
        }


@dataclass(frozen=True, slots=True)
class Accounts:
    """All accounts of a book; each asset class is traded in one of them."""

    accounts: tuple[Account, ...] = (Account(),)

    @property
    def names(self) -> tuple[str, ...]:
        """In the order of the configuration."""
        return tuple(account.name for account in self.accounts)

    def named(self, name: str) -> Account:
        """Return an account; an unknown name is an `InputError` that lists them."""
        for account in self.accounts:
            if account.name == name:
                return account
        raise InputError(f"there is no account {name!r} in execution.yaml", one_of(name, self.names))

    @property
    def may_reroute(self) -> bool:
        """Whether orders of an account may go to another one."""
        return any(account.fallback for account in self.accounts)

    def of_class(self, asset_class: AssetClass) -> Account:
        """Return the account that trades an asset class."""
        return next(account for account in self.accounts if asset_class in account.asset_classes)

    def by_class(self) -> Mapping[AssetClass, str]:
        """Asset class -> account, as `Universe.accounts` has it: empty where there is one."""
        if len(self.accounts) == 1:
            return {}
        return {asset_class: account.name for account in self.accounts for asset_class in account.asset_classes}

    def opening_cash(self, cash: Decimal) -> Mapping[str, Decimal]:
        """Share a book's initial cash out; the last account takes what rounding to cents leaves."""
        shares = {account.name: to_cent(cash * account.share) for account in self.accounts[:-1]}
        shares[self.accounts[-1].name] = to_cent(cash) - sum(shares.values(), Decimal(0))
        return shares

    def cash_of(self, portfolio: Portfolio) -> Mapping[str, Decimal]:
        """Cash of each account; an account that the portfolio does not know yet has none.

        Raises
        ------
        InputError
            When the portfolio has cash in an account that is not configured any more.
        """
        balances = portfolio.cash_by_account(self.names[0] if len(self.accounts) == 1 else ONLY_ACCOUNT)
        lost = [name for name, cash in balances.items() if cash and name not in self.names]
        if lost:
            raise InputError(
                f"account {lost[0]} holds ${balances[lost[0]]:,.2f} on {portfolio.session} and is not in"
                " execution.yaml",
                f"configure it again, or transfer its cash to {' or '.join(self.names)} before it is left out",
            )
        return {name: balances.get(name, Decimal(0)) for name in self.names}


def contradictions(accounts: Sequence[Account], asset_classes: Sequence[AssetClass], brokers: Sequence[str]) -> str:
    """Return what is wrong with configured accounts, or "".

    Parameters
    ----------
    asset_classes
        Those of the universe.
    brokers
        Names of the brokers there are.
    """
    names = [account.name for account in accounts]
    trading: dict[AssetClass, str] = {}
    for account in accounts:
        if names.count(account.name) > 1:
            return f"account {account.name} is listed twice"
        if account.broker not in brokers:
            return f"account {account.name} names broker {account.broker!r}, which is none of {', '.join(brokers)}"
        if account.currency != CURRENCY and not account.as_usd:
            return (
                f"account {account.name} is kept in {account.currency}, and books are kept in {CURRENCY};"
                f" `as_usd: true` says that 1 {account.currency} is to count as 1 {CURRENCY}"
            )
        if account.broker == SIMULATED and account.endpoint is not None:
            return f"account {account.name} is at the simulated broker, which has no endpoint; leave `endpoint` out"
        if account.broker != SIMULATED and account.endpoint is None:
            return f"account {account.name} does not say whether real money is behind it: `endpoint: paper` or `live`"
        for asset_class in account.asset_classes:
            if asset_class in trading:
                return f"accounts {trading[asset_class]} and {account.name} both trade {asset_class}"
            trading[asset_class] = account.name
    for asset_class in asset_classes:
        if asset_class not in trading:
            return f"no account trades {asset_class}, which universe.yaml holds"
    if problem := next(filter(None, (_fallback_problem(account, accounts) for account in accounts)), ""):
        return problem
    total = sum((account.share for account in accounts), Decimal(0))
    return "" if total == 1 else f"the shares of the accounts add up to {total.normalize():f}, not 1"


def _fallback_problem(account: Account, accounts: Sequence[Account]) -> str:
    if not account.fallback:
        return ""
    named = f"fallback {account.fallback!r} of account {account.name}"
    other = next((one for one in accounts if one.name == account.fallback), None)
    if other is None or other is account:
        return f"{named} is no other account"
    if SIMULATED in (account.broker, other.broker):
        return f"{named}: the simulated broker is always there, and takes nobody's place"
    if account.endpoint is not other.endpoint:
        return f"{named} is at the {other.endpoint} endpoint, and the account at the {account.endpoint} one"
    return ""
