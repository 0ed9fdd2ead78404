"""Breaks: what differs between a book and its broker, by kind, with the amounts it stands for."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from trading_lib.domain.book.orders import Fill, Side
from trading_lib.domain.book.portfolio import to_cent
from trading_lib.execution.broker import Execution

NOTHING = Decimal(0)


class BreakKind(StrEnum):
    """What a break is, by what proves it."""

    # Orders.
    ORDER_MISSING = "order-missing"
    ORDER_DIFFERS = "order-differs"
    ORDER_LACKED = "order-lacked"
    ORDER_ENDED = "order-ended"
    MANUAL_ORDER = "manual-order"
    # Amounts, each with its proof.
    UNBOOKED_FILL = "unbooked-fill"
    UNLISTED_FILL = "unlisted-fill"
    FILL_DIFFERS = "fill-differs"
    FEE = "fee"
    DIVIDEND = "dividend"
    SPLIT = "split"
    PROCEEDS = "proceeds"
    MANUAL_TRADE = "manual-trade"
    LIQUIDATION = "liquidation"
    TRANSFER = "transfer"
    BUST = "bust"
    # Amounts that nothing explains.
    POSITION = "position"
    CASH = "cash"


class BreakStatus(StrEnum):
    """OPEN halts what adds risk; EXPLAINED needs nobody; ACCEPTED was looked at by the operator."""

    OPEN = "open"
    EXPLAINED = "explained"
    ACCEPTED = "accepted"


# Those whose text is a trade's.
TRADES = frozenset({BreakKind.MANUAL_TRADE, BreakKind.LIQUIDATION, BreakKind.BUST})


@dataclass(frozen=True, slots=True)
class Break:
    """A difference between a book and its broker.

    Attributes
    ----------
    symbol
        "" where it concerns money.
    ours, broker
        What each side has, as text; amounts as plain decimals, trades as `trade_text` writes them.
    explanation
        What proves it, or what is known where nothing does.
    status
        `BreakStatus.EXPLAINED` where nobody has to look at it.
    """

    kind: BreakKind
    symbol: str
    ours: str
    broker: str
    explanation: str
    status: BreakStatus = BreakStatus.OPEN

    @property
    def identity(self) -> tuple[str, str, str, str]:
        """What makes two breaks the same one, found again."""
        return str(self.kind), self.symbol, self.ours, self.broker


@dataclass(frozen=True, slots=True)
class Known:
    """A difference that the operator has accepted and that stays: what the broker has beyond the book.

    Attributes
    ----------
    units
        By symbol.
    cash
        Dollars.
    """

    number: int
    kind: BreakKind
    units: dict[str, Decimal] = field(default_factory=dict)
    cash: Decimal = NOTHING


def trade_text(trade: Execution | Fill) -> str:
    """Return a trade as text that `trade_amounts` reads."""
    fee = trade.fee_quantity if isinstance(trade, Execution) else NOTHING
    kept = f" keeping {fee:f}" if fee else ""
    return (
        f"{trade.side} {trade.quantity:f} {trade.symbol or '?'} at {trade.price:f} for {trade.commission:f}{kept}"
        f" (trade {trade.trade_id})"
    )


TRADE = re.compile(
    r"(?P<side>BUY|SELL) (?P<quantity>[\d.]+) (?P<symbol>\S+) at (?P<price>[\d.]+) for (?P<commission>-?[\d.]+)"
    r"(?: keeping (?P<fee>[\d.]+))? \(trade (?P<trade>.+)\)$"
)


def trade_id_of(text: str) -> str:
    """Return the trade id that a trade's text names, "" where it is no trade."""
    match = TRADE.match(text)
    return match["trade"] if match else ""


def trade_amounts(text: str) -> tuple[str, Decimal, Decimal]:
    """Return symbol, units and dollars that an account gained by a trade that is written as `trade_text` does."""
    match = TRADE.match(text)
    if match is None:
        raise ValueError(f"{text!r} is no trade")
    units = Decimal(match["quantity"]) * (1 if match["side"] == Side.BUY else -1)
    fee = Decimal(match["fee"] or 0)
    paid = NOTHING if fee else Decimal(match["commission"])
    return match["symbol"], units - fee, -signed_value(units, Decimal(match["price"])) - paid


def signed_value(units: Decimal, price: Decimal) -> Decimal:
    """Return what a trade costs, rounded to the cent as books do; negative for a sale."""
    return to_cent(abs(units) * price).copy_sign(units)


def known_difference(number: int, kind: BreakKind, symbol: str, ours: str, broker: str) -> Known | None:
    """Return what an accepted break says the broker has beyond the book; None where it is about no amount."""
    if kind in (BreakKind.POSITION, BreakKind.SPLIT):
        return Known(number, kind, {symbol: Decimal(broker) - Decimal(ours)}) if _are_amounts(ours, broker) else None
    if kind in (BreakKind.CASH, BreakKind.TRANSFER):
        return Known(number, kind, cash=Decimal(broker) - Decimal(ours))
    if kind is BreakKind.FILL_DIFFERS:
        (before, units, cash), (after, more, money) = trade_amounts(ours), trade_amounts(broker)
        moved = {before: -units}
        moved[after] = moved.get(after, NOTHING) + more
        return Known(number, kind, moved, money - cash)
    if kind in TRADES:
        traded, units, cash = trade_amounts(ours if kind is BreakKind.BUST else broker)
        sign = -1 if kind is BreakKind.BUST else 1
        return Known(number, kind, {traded: sign * units}, sign * cash)
    return None


def _are_amounts(*texts: str) -> bool:
    return all(re.fullmatch(r"-?[\d.]+", text) for text in texts)
