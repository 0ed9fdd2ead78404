"""Accounts, orders and executions as the simulated brokers keep them, and how amounts and times are written."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

ALPACA, BINANCE = "alpaca", "binance"
OPEN = ("accepted", "pending_new", "new", "partially_filled", "pending_cancel")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Event = dict[str, Any]


def plain(amount: Decimal) -> str:
    """Write an amount without an exponent and without trailing zeros."""
    text = f"{amount:f}"
    return (text.rstrip("0").rstrip(".") or "0") if "." in text else text


def iso(at: datetime) -> str:
    """Write a time as the ledger and Alpaca do: UTC, microseconds, Z."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_time(text: str) -> datetime:
    """Read what `iso` wrote, or any other ISO time; one without a zone is UTC."""
    at = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def millis(at: datetime) -> int:
    """Milliseconds since 1970, as Binance counts."""
    elapsed = at - EPOCH
    return (elapsed.days * 86_400 + elapsed.seconds) * 1000 + elapsed.microseconds // 1000


def from_millis(stamp: int) -> datetime:
    """Return the time that Binance counts so."""
    return EPOCH + timedelta(milliseconds=stamp)


@dataclass
class Account:
    """One account at one of the brokers.

    Attributes
    ----------
    number
        Under which the broker knows it (Alpaca's account number, Binance's uid).
    endpoint
        ``paper`` or ``live``.
    balances
        Asset -> units; at Alpaca the shares and the dollars.
    costs
        Asset -> what the units held have cost, in the quote currency.
    settings
        What the face of its broker reads: multiplier, shorting, fees and so on.
    """

    id: str
    face: str
    number: str
    endpoint: str
    created_at: datetime
    settings: dict[str, Any]
    balances: dict[str, Decimal] = field(default_factory=dict)
    costs: dict[str, Decimal] = field(default_factory=dict)

    def balance(self, asset: str) -> Decimal:
        """Units of an asset."""
        return self.balances.get(asset, Decimal(0))


@dataclass
class Order:
    """An order as it was booked, and what has become of it.

    Attributes
    ----------
    base, quote
        What is bought or sold, and in what it is paid.
    limit_price, stop_price
        Of the orders that have them.
    funds
        Amount of the quote currency to be traded instead of a quantity; the quantity was derived from it.
    visible_at
        Before that time look-ups and lists do not show it.
    portion
        Share of the quantity that its first fill may have; the rest waits for the next.
    wire
        What else of the request an answer repeats.
    """

    id: str
    account: str
    client_order_id: str
    symbol: str
    base: str
    quote: str
    side: str
    type: str
    time_in_force: str
    quantity: Decimal
    limit_price: Decimal | None
    stop_price: Decimal | None
    created_at: datetime
    visible_at: datetime
    status: str
    number: int
    portion: Decimal | None = None
    fills_hidden: bool = True
    triggered: bool = False
    filled: Decimal = Decimal(0)
    paid: Decimal = Decimal(0)
    updated_at: datetime = EPOCH
    reason: str = ""
    ended_at: datetime | None = None
    wire: dict[str, Any] = field(default_factory=dict)

    @property
    def is_open(self) -> bool:
        """Whether more of it may fill."""
        return self.status in OPEN

    @property
    def left(self) -> Decimal:
        """What is not filled."""
        return self.quantity - self.filled

    @property
    def average(self) -> Decimal | None:
        """Average price of its fills."""
        return self.paid / self.filled if self.filled else None


@dataclass(frozen=True)
class Execution:
    """One fill.

    Attributes
    ----------
    number
        Counts the executions of the ledger, from 1.
    fee, fee_asset
        What the broker kept, in units of that asset.
    cumulative, left
        Of its order after it.
    bust_of, corrects
        Id of the execution that it cancels or replaces; "" for an ordinary fill.
    """

    id: str
    number: int
    order: str
    account: str
    symbol: str
    base: str
    quote: str
    side: str
    quantity: Decimal
    price: Decimal
    fee: Decimal
    fee_asset: str
    at: datetime
    cumulative: Decimal
    left: Decimal
    status: str
    bust_of: str = ""
    corrects: str = ""


@dataclass(frozen=True)
class Movement:
    """A change of a balance that is no fill: a deposit, dividend, split, fee, transfer.

    Attributes
    ----------
    activity
        Alpaca's activity type (CSD, DIV, SPLIT, FEE, JNLS ...).
    """

    id: str
    number: int
    account: str
    activity: str
    asset: str
    amount: Decimal
    at: datetime
    symbol: str = ""
    per_share: Decimal | None = None
    note: str = ""
