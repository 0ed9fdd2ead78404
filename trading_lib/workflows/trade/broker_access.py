"""The brokers of a book's accounts: routing of orders to accounts, and creating the brokers."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from trading_lib.adapters.brokers.registry import broker_class, capabilities_of, create_broker
from trading_lib.adapters.brokers.shared.simulator_mount import SIMULATOR_VARIABLE, simulator_address
from trading_lib.adapters.brokers.simulated import STATUSES, SimulatedBroker, SimulatedOpening
from trading_lib.adapters.stores.books.order_store import OrderStore
from trading_lib.adapters.stores.orders.routes import OrderRoutes
from trading_lib.domain.book.accounts import Account
from trading_lib.domain.book.books import Book, BookKind
from trading_lib.domain.book.orders import OPEN_STATUSES, Fill, Order, OrderStatus, OrderType, TimeInForce
from trading_lib.domain.book.portfolio import Portfolio
from trading_lib.domain.errors import ConfigurationError, InputError, SimulatedDataError
from trading_lib.domain.market.instruments import AssetClass, Universe
from trading_lib.execution.broker import Broker, BrokerSetting, Capabilities
from trading_lib.session.open_orders import OpenOrder
from trading_lib.workflows.setup.source_choice import SIMULATED

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from trading_lib.workflows.setup.settings import Settings
    from trading_lib.workflows.trade.book_run import BookRun


class AtBrokers(Protocol):
    """What is needed of a book to reach its brokers: a `BookRun`, or a `BookAtBrokers` without any prices."""

    @property
    def settings(self) -> Settings:
        """Configuration, folders, clock."""
        ...

    @property
    def book(self) -> Book:
        """The book."""
        ...

    @property
    def engine(self) -> Engine:
        """The trading database."""
        ...

    @property
    def orders(self) -> OrderStore:
        """Intents, orders and fills."""
        ...


@dataclass(frozen=True, slots=True)
class BookAtBrokers:
    """A book and its stored orders, without a market: enough to watch, cancel and compare."""

    settings: Settings
    book: Book
    engine: Engine

    @property
    def orders(self) -> OrderStore:
        """Intents, orders and fills."""
        return OrderStore(self.engine)


@dataclass(frozen=True, slots=True)
class AccountOrders:
    """The stored orders of one account of a book; what the simulated broker knows."""

    book: str
    store: OrderStore
    account: Account
    universe: Universe

    def stored(self, client_order_id: str) -> tuple[Order, OrderStatus, Decimal] | None:
        """Return an order that was sent, its status and what of it is filled; None for any other."""
        for order, status in self.store.orders(self.book, identities=[client_order_id]):
            if status in STATUSES and self._is_here(order.symbol):
                return order, status, self.store.filled_quantity(client_order_id)
        return None

    def sent(self, statuses: Sequence[OrderStatus], since: datetime | None = None) -> list[Order]:
        """Orders of the account that were sent, ``since`` or later, and have one of the statuses."""
        orders = self.store.orders(self.book, statuses=statuses, sent_since=since)
        return [order for order, _ in orders if self._is_here(order.symbol)]

    def fills(self) -> list[Fill]:
        """Return the stored fills of the account, the oldest first."""
        return [fill for fill in self.store.fills(self.book) if self._is_here(fill.symbol)]

    def _is_here(self, symbol: str) -> bool:
        return self.universe.traded(symbol)[0].asset_class in self.account.asset_classes


def account_of(run: AtBrokers, order: Order) -> Account:
    """Return the account of an order: the one it was routed to, else the one that trades its asset class."""
    accounts, universe = run.settings.configuration.accounts, run.settings.configuration.universe
    if accounts.may_reroute:
        routed = OrderRoutes(run.engine).account(order.client_order_id)
        if routed in accounts.names:
            return accounts.named(routed)
    return accounts.of_class(universe.traded(order.symbol)[0].asset_class)


def traded_in(account: Account, settings: Settings) -> frozenset[AssetClass]:
    """Asset classes of an account, and of those whose orders it takes while their brokers are away."""
    others = settings.configuration.accounts.accounts
    return frozenset(
        asset_class
        for one in others
        if one.name == account.name or one.fallback == account.name
        for asset_class in one.asset_classes
    )


def broker_of(
    run: AtBrokers, account: Account, portfolio: Portfolio | None = None, opening: SimulatedOpening | None = None
) -> Broker:
    """Create the broker of an account.

    Parameters
    ----------
    portfolio, opening
        What the simulated broker holds, and the opening that its orders meet.
    """
    folder = brokers_folder(run.settings)
    universe = run.settings.configuration.universe
    classes = traded_in(account, run.settings)
    traded = tuple(instrument for instrument in universe if instrument.asset_class in classes)
    endpoint, clock = str(account.endpoint or ""), run.settings.clock
    setting = BrokerSetting(account.broker_account, os.environ, endpoint, traded, clock)
    if broker_class(account.broker, folder) is SimulatedBroker:
        orders = AccountOrders(run.book.name, run.orders, account, universe)
        return SimulatedBroker(setting, orders, portfolio, opening)
    return create_broker(account.broker, setting, folder)


def earlier_open_orders(run: BookRun) -> list[OpenOrder]:
    """Orders of earlier sessions that may still fill, and how much of each."""
    open_orders = run.orders.orders(run.book.name, statuses=OPEN_STATUSES)
    earlier = [order for order, _ in open_orders if order.session < run.session]
    return [
        OpenOrder(open_order, open_order.quantity - run.orders.filled_quantity(open_order.client_order_id))
        for open_order in earlier
    ]


def is_real(account: Account, settings: Settings) -> bool:
    """Whether an account is at a broker that is not simulated."""
    return not capabilities(account, settings).simulated


def simulator_stands_in() -> bool:
    """Whether the broker simulator stands in for the brokers that come with the system."""
    return bool(simulator_address(os.environ))


def capabilities(account: Account, settings: Settings) -> Capabilities:
    """Return what the broker of an account can do."""
    return capabilities_of(account.broker, brokers_folder(settings))


def brokers_folder(settings: Settings) -> Path:
    """Where brokers of one's own lie: beside the configuration."""
    return settings.configuration.folder.parent / "brokers"


def check_brokers(source_name: str, settings: Settings) -> None:
    """Refuse accounts whose brokers cannot do what the configuration asks of them, before anything is stored.

    Raises
    ------
    ConfigurationError
        When a broker is unknown or lacks a capability.
    SimulatedDataError
        When simulated prices would lead to orders at a broker that is real.
    """
    universe, folder = settings.configuration.universe, brokers_folder(settings)
    traded = {instrument.asset_class for instrument in universe if not instrument.retired}
    taken: dict[tuple[str, str], str] = {}
    standing_in = simulator_address(os.environ)
    for account in settings.configuration.accounts.accounts:
        capabilities = capabilities_of(account.broker, folder)
        needed = sorted(traded & traded_in(account, settings))
        problem = _lacking(account, capabilities, needed, universe)
        place = (account.broker, account.broker_account)
        if not problem and not capabilities.simulated and place in taken:
            problem = f"{account.broker} has it as account {taken[place]} already, so its fills would count twice"
        taken[place] = account.name
        if problem:
            raise ConfigurationError(f"account {account.name}: {problem}", "choose another broker in execution.yaml")
        if standing_in and ":" in account.broker:
            raise ConfigurationError(
                f"account {account.name} is at {account.broker}, and the broker simulator at {standing_in} stands in"
                " only for the brokers that come with the system",
                f"unset {SIMULATOR_VARIABLE}, or use one of those",
            )
        if needed and source_name == SIMULATED and not (capabilities.simulated or standing_in):
            raise SimulatedDataError(
                f"account {account.name} is at {account.broker}, and simulated prices never reach a real broker",
                "use a source of real prices, or the simulated broker `paper`",
            )


def _lacking(account: Account, capabilities: Capabilities, needed: Sequence[str], universe: Universe) -> str:
    broker = f"broker {account.broker}"
    missing = [name for name in needed if name not in capabilities.asset_classes]
    if missing:
        return f"{broker} does not trade {', '.join(missing)}"
    if account.currency != capabilities.currency:
        return f"{broker} keeps its accounts in {capabilities.currency}, not {account.currency}"
    if OrderType.MARKET not in capabilities.order_types or TimeInForce.OPENING not in capabilities.times_in_force:
        return f"{broker} takes no market orders for the opening"
    parts = [
        instrument.symbol
        for instrument in universe
        if instrument.asset_class in needed and instrument.lot_size % 1 != 0 and not instrument.retired
    ]
    if parts and not capabilities.fractional:
        return f"{broker} trades whole units only, and {parts[0]} is traded in parts"
    contract = universe.perpetuals
    hedged = contract is not None and contract.venues and universe[contract.spot].asset_class in needed
    return f"{broker} does not sell short, as carry needs" if hedged and not capabilities.short else ""


def refuse_tryouts(name: str, kind: BookKind, settings: Settings) -> None:
    """Refuse a demo or backtest book at a broker that is real, and a live one at the simulated broker."""
    for account in settings.configuration.accounts.accounts:
        real = is_real(account, settings)
        if real and not simulator_stands_in() and kind in (BookKind.DEMO, BookKind.BACKTEST):
            raise InputError(
                f"book {name} is a {kind} book, and account {account.name} is at {account.broker}, which is real",
                "use a paper book, or the simulated broker `paper`",
            )
        if not real and kind is BookKind.LIVE:
            raise InputError(
                f"book {name} is a live book, and account {account.name} is at the simulated broker",
                "use a paper or demo book",
            )


def refuse_past(run: BookRun, accounts: Sequence[Account]) -> None:
    """Refuse a past session whose accounts are at a broker that is real: only the newest may send to one, or ask it.

    Raises
    ------
    InputError
        Naming the session, the newest and the account.
    """
    newest = run.settings.calendar.latest_decidable(run.settings.clock())
    for account in accounts:
        if run.session != newest and is_real(account, run.settings):
            raise InputError(
                f"session {run.session} is past (the newest is {newest}), so it never reaches {account.broker} of"
                f" account {account.name}",
                "run the newest session, which settles those before it; replay past ones at the simulated broker",
            )
