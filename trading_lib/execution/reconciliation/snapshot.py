"""What a broker says of an account at one moment, and the checks before any of it is believed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from trading_lib.domain.errors import TradingError
from trading_lib.execution.broker import BrokerAccount, BrokerOrder, Bust, Execution, Movement

# Beyond this no account of this system is, so it is a broken answer.
LARGEST = Decimal(10) ** 15


class SnapshotRefusedError(TradingError):
    """A snapshot is of another account or cannot be what a broker has: nothing of it is compared or stored."""


@dataclass(frozen=True, slots=True)
class BrokerSnapshot:
    """One account as its broker has it.

    Attributes
    ----------
    positions
        Symbol -> units, negative where sold short.
    closed_orders
        Those that were taken at ``since`` or later and have ended.
    fills, busts
        Since the cursor up to which the book has read them.
    cursor
        The one after them.
    movements
        What moved its cash without a trade, since some days before its first comparison; None of a broker that does
        not tell.
    """

    account: BrokerAccount
    positions: Mapping[str, Decimal]
    open_orders: tuple[BrokerOrder, ...]
    closed_orders: tuple[BrokerOrder, ...]
    fills: tuple[Execution, ...]
    taken_at: datetime
    since: datetime
    cursor: str = ""
    busts: tuple[Bust, ...] = field(default=())
    movements: tuple[Movement, ...] | None = None

    @property
    def orders(self) -> tuple[BrokerOrder, ...]:
        """All orders it tells of."""
        return (*self.open_orders, *self.closed_orders)


def checked(snapshot: BrokerSnapshot, account: str, currency: str, short: bool) -> BrokerSnapshot:
    """Return the snapshot, or refuse it as a whole.

    Parameters
    ----------
    account
        The broker's own id of the account that is meant; "" where none is known yet.
    short
        Whether the broker sells what is not held.

    Raises
    ------
    SnapshotRefusedError
        Naming the field.
    """
    told = snapshot.account
    if account and told.account != account:
        raise SnapshotRefusedError(
            f"the snapshot is of account {told.account!r}, and account {account!r} was asked for",
            "compare broker_account in execution.yaml, and the keys, with the broker's; nothing was compared",
        )
    if told.currency != currency:
        raise SnapshotRefusedError(
            f"the snapshot's account is kept in {told.currency!r}, not in {currency}",
            "correct currency in execution.yaml; nothing was compared",
        )
    for name, value, smallest in _amounts(snapshot, short):
        _require(name, value, smallest)
    for name, orders in (("open_orders", snapshot.open_orders), ("closed_orders", snapshot.closed_orders)):
        if twice := [one for one, count in Counter(o.broker_order_id for o in orders).items() if count > 1]:
            raise _broken(name, f"order {twice[0]!r} twice")
    if twice := [one for one, count in Counter(m.movement_id for m in snapshot.movements or ()).items() if count > 1]:
        raise _broken("movements", f"movement {twice[0]!r} twice")
    for order in snapshot.orders:
        if order.filled > order.quantity:
            raise _broken(f"order {order.broker_order_id}", f"{order.filled} filled of {order.quantity}")
    return snapshot


def _amounts(snapshot: BrokerSnapshot, short: bool) -> Iterator[tuple[str, object, Decimal | None]]:
    """Name, value and bound of each amount; None for an amount that may be anything finite."""
    zero = Decimal(0)
    # Borrowed money shows as cash below zero.
    yield "cash", snapshot.account.cash, None
    yield "buying_power", snapshot.account.buying_power, zero
    for symbol, units in snapshot.positions.items():
        yield f"position of {symbol or '(no symbol)'}", units, None if short else zero
    for order in snapshot.orders:
        yield f"quantity of order {order.broker_order_id}", order.quantity, zero
        yield f"filled quantity of order {order.broker_order_id}", order.filled, zero
    for fill in snapshot.fills:
        yield f"quantity of fill {fill.trade_id}", fill.quantity, zero
        yield f"price of fill {fill.trade_id}", fill.price, zero
        # A rebate is a fee below zero.
        yield f"commission of fill {fill.trade_id}", fill.commission, None
        yield f"fee quantity of fill {fill.trade_id}", fill.fee_quantity, zero
    for one in snapshot.movements or ():
        yield f"amount of movement {one.movement_id}", one.amount, None


def _require(name: str, value: object, smallest: Decimal | None) -> None:
    if not isinstance(value, Decimal):
        raise _broken(name, "nothing" if value is None else f"{value!r}, which is no exact number")
    if not value.is_finite() or abs(value) > LARGEST or (smallest is not None and value < smallest):
        raise _broken(name, str(value))


def _broken(name: str, value: str) -> SnapshotRefusedError:
    return SnapshotRefusedError(
        f"the broker's snapshot is broken: {name} is {value}",
        "nothing was compared or stored; ask again, and the broker where it stays",
    )
