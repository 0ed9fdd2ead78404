"""The broker interface: the operations every broker adapter implements, and the values they exchange.

Input: orders that passed the pre-trade checks. Output: their state as the broker reports it. The state may be unknown,
which is not the same as failed; an order that is not found may still exist.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time
from decimal import Decimal
from enum import StrEnum
from typing import Protocol, runtime_checkable

from trading_lib.domain.book.orders import Order, OrderType, Side, TimeInForce
from trading_lib.domain.market.instruments import AssetClass, Instrument

# How much of a broker's own answer is kept with an event.
RAW_LENGTH = 4096


class IdsUnique(StrEnum):
    """The scope in which a broker refuses a client order id that it has seen."""

    ALWAYS = "ALWAYS"
    WHILE_OPEN = "WHILE_OPEN"


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a broker can do; known without connecting.

    Attributes
    ----------
    asset_classes
        What it trades.
    currency
        What its accounts are kept in.
    order_types
        Of `Order.order_type`.
    ids_unique
        Among which orders it refuses a known client order id. Whatever it says, no id is ever sent for two orders.
    fractional, short
        Whether it takes parts of a unit, and sales of what is not held.
    streams
        Whether `Broker.subscribe` tells more than polling does.
    simulated
        Whether nothing real is behind it. Only such a broker is reached by past sessions and backfills.
    send_from, send_until
        New York times between which it takes orders for the next opening; None when it always does.
    next_utc_day
        Whether what is decided trades at the opening of the next UTC day, as what trades every day does: orders are
        sent from then on.
    """

    asset_classes: frozenset[AssetClass]
    currency: str = "USD"
    order_types: frozenset[str] = frozenset({OrderType.MARKET})
    times_in_force: frozenset[TimeInForce] = frozenset({TimeInForce.OPENING})
    ids_unique: IdsUnique = IdsUnique.ALWAYS
    fractional: bool = False
    short: bool = False
    streams: bool = False
    simulated: bool = False
    send_from: time | None = None
    send_until: time | None = None
    next_utc_day: bool = False


@dataclass(frozen=True, slots=True)
class ClearedOrder:
    """An order that passed the pre-trade checks. `session.clear` makes them, and nothing else may."""

    order: Order


@dataclass(frozen=True, slots=True)
class BrokerAccount:
    """Balances of an account as the broker reports them."""

    account: str
    currency: str
    cash: Decimal
    buying_power: Decimal


class BrokerStatus(StrEnum):
    """Status of an order at the broker."""

    WORKING = "WORKING"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"
    REJECTED = "REJECTED"

    @property
    def is_open(self) -> bool:
        """Whether more of the order may fill."""
        return self in (BrokerStatus.WORKING, BrokerStatus.PARTIALLY_FILLED)


@dataclass(frozen=True, slots=True)
class BrokerOrder:
    """An order as the broker reports it.

    Attributes
    ----------
    reason
        Why it ended unfilled, in the broker's words without secrets; "" where it did not.
    created_at
        When the broker took it; None where it does not say.
    raw
        The broker's own words, without secrets and at most `RAW_LENGTH` long; "" where there are none.
    """

    client_order_id: str
    broker_order_id: str
    symbol: str
    side: Side
    quantity: Decimal
    filled: Decimal
    status: BrokerStatus
    reason: str = ""
    created_at: datetime | None = None
    raw: str = ""


@dataclass(frozen=True, slots=True)
class Execution:
    """A fill as the broker reports it.

    Attributes
    ----------
    trade_id
        Unique at this broker.
    reference_price
        Price without slippage, where the broker knows one.
    commission
        In the account's currency; the value of ``fee_quantity`` where the fee was taken in units.
    fee_quantity
        Units of what was traded that the broker kept as its fee; 0 where the fee is money.
    raw
        As of `BrokerOrder`.
    """

    trade_id: str
    client_order_id: str
    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal
    commission: Decimal
    filled_at: datetime
    reference_price: Decimal | None = None
    fee_quantity: Decimal = Decimal(0)
    raw: str = ""


@dataclass(frozen=True, slots=True)
class Bust:
    """A fill that a broker has struck; a corrected fill is a bust and a fill of a new trade id."""

    trade_id: str
    at: datetime
    reason: str = ""
    raw: str = ""


class MovementKind(StrEnum):
    """What moved the cash of an account without a trade."""

    FEE = "FEE"
    DIVIDEND = "DIVIDEND"
    INTEREST = "INTEREST"
    TRANSFER = "TRANSFER"
    SPLIT = "SPLIT"
    OTHER = "OTHER"


@dataclass(frozen=True, slots=True)
class Movement:
    """Cash that came to an account or left it without a trade, as the broker reports it.

    Attributes
    ----------
    movement_id
        Unique at this broker.
    amount
        In the account's currency, negative where it left; 0 where only units moved.
    symbol
        "" where it concerns no asset.
    at
        The beginning of its day in New York where the broker tells the day only.
    description
        The broker's own name of what it is, and its words.
    raw
        As of `BrokerOrder`.
    trade_id
        Of the trade whose fee it is, where something else than the account's currency paid it: ``amount`` is 0 then,
        and ``description`` what paid. "" otherwise.
    """

    movement_id: str
    kind: MovementKind
    amount: Decimal
    symbol: str
    at: datetime
    description: str = ""
    raw: str = ""
    trade_id: str = ""


def is_same(at_broker: BrokerOrder, order: Order) -> bool:
    """Whether a broker's order is the one that was sent; another installation may have used its id."""
    sent = (order.symbol, order.side, order.quantity)
    return (at_broker.symbol, at_broker.side, at_broker.quantity) == sent


class Outcome(StrEnum):
    """Outcome of sending or cancelling an order.

    DUPLICATE: the broker knows the client order id already, so the order is looked up. UNKNOWN: no answer, or one that
    cannot be read; the order may be there.
    """

    ACCEPTED = "ACCEPTED"
    REJECTED = "REJECTED"
    DUPLICATE = "DUPLICATE"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True)
class Answer:
    """The outcome of sending or cancelling, with the broker's id of the order where it gave one."""

    outcome: Outcome
    broker_order_id: str = ""
    reason: str = ""
    raw: str = ""


class Seen(StrEnum):
    """Outcome of a look-up. NOT_FOUND does not prove absence: brokers return it for orders still on their way."""

    FOUND = "FOUND"
    NOT_FOUND = "NOT_FOUND"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True)
class LookUp:
    """Result of a look-up; ``order`` where it was found."""

    seen: Seen
    order: BrokerOrder | None = None
    reason: str = ""
    raw: str = ""


@dataclass(frozen=True, slots=True)
class Executions:
    """Fills after a cursor, the oldest first, what was struck since, and the cursor after the last of them.

    A cursor is the broker's own text; "" stands before the first fill of an account.
    """

    fills: tuple[Execution, ...]
    cursor: str
    busts: tuple[Bust, ...] = ()


@dataclass(frozen=True, slots=True)
class BrokerSetting:
    """The settings a broker adapter is created from.

    Attributes
    ----------
    account
        The broker's own id of the account, "" where it has only one.
    environment
        Where it looks up its keys; they go into no message.
    endpoint
        `paper` or `live`, as the configuration says: whether real money is behind it.
    instruments
        What the account trades.
    clock
        The system's time; None is this computer's.
    """

    account: str = ""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    endpoint: str = ""
    instruments: tuple[Instrument, ...] = ()
    clock: Callable[[], datetime] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Readiness:
    """One finding of a preflight: whether ``subject``, a symbol or a part of the account, is ready to trade.

    Attributes
    ----------
    problem
        What is wrong and what to do, "" where nothing is.
    blocking
        Whether orders of the subject would be refused; otherwise the problem is a warning.
    """

    subject: str
    problem: str = ""
    blocking: bool = False

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problem


@runtime_checkable
class Broker(Protocol):
    """One account at a broker; `BrokerContract` in tests/contracts states the requirements as tests.

    No method raises for what a broker answers; what cannot be answered for want of a connection raises
    `SourceError`-like errors of `trading_lib.domain.errors`, and then nothing was sent.
    """

    @property
    def name(self) -> str:
        """Name under which its fills and orders are stored."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """What it can do."""
        ...

    async def connect(self) -> None:
        """Open what it needs; the same again changes nothing."""
        ...

    async def close(self) -> None:
        """Close it; the same again changes nothing."""
        ...

    async def account(self) -> BrokerAccount:
        """Money in the account."""
        ...

    async def positions(self) -> Mapping[str, Decimal]:
        """Symbol -> units held, negative for what is sold short; nothing else is in it."""
        ...

    async def open_orders(self) -> tuple[BrokerOrder, ...]:
        """Orders that may still fill."""
        ...

    async def closed_orders(self, since: datetime) -> tuple[BrokerOrder, ...]:
        """Orders that the broker took at ``since`` or later and that cannot fill any more, all of them."""
        ...

    async def submit(self, cleared: ClearedOrder) -> Answer:
        """Send an order under its client order id. The same id again never makes a second order."""
        ...

    async def find(self, client_order_id: str) -> LookUp:
        """Look an order up by its client order id, whatever its status."""
        ...

    async def cancel(self, client_order_id: str) -> Answer:
        """Ask to cancel what is left of an order; ACCEPTED says that it was asked, a look-up what came of it."""
        ...

    async def fills_since(self, cursor: str) -> Executions:
        """Return the fills after ``cursor``; asked twice it answers the same."""
        ...

    def subscribe(self, cursor: str) -> AsyncIterator[Execution]:
        """Stream fills after ``cursor``; see `polling.poll_fills` for a broker that does not stream."""
        ...


@runtime_checkable
class Preflights(Protocol):
    """A broker that can say before trading what it would refuse."""

    async def preflight(self, symbols: Sequence[str]) -> tuple[Readiness, ...]:
        """Look at the account and at each symbol."""
        ...


@runtime_checkable
class TellsTime(Protocol):
    """A broker that tells its time."""

    async def server_time(self) -> datetime:
        """Return the broker's clock."""
        ...


@runtime_checkable
class TellsMovements(Protocol):
    """A broker that tells what moved its account's cash without a trade."""

    async def movements_since(self, since: datetime) -> tuple[Movement, ...]:
        """Return those of the day of ``since`` and later, the oldest first, all of them."""
        ...
