"""Recorded proceeds -> fills that close the position. Pure; `accounting.settle` books them like any other fill."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal

from trading_lib.domain.book.orders import Fill, Side
from trading_lib.domain.book.portfolio import Portfolio, to_cent
from trading_lib.domain.book.proceeds import RECORDED, Proceeds, closing_id
from trading_lib.domain.market.instruments import Universe
from trading_lib.domain.money import whole_lots


def closing_fills(
    portfolio: Portfolio,
    fills: Sequence[Fill],
    splits: Mapping[str, float],
    proceeds: Sequence[Proceeds],
    universe: Universe,
    session: date,
    opening: datetime,
) -> list[Fill]:
    """Close what will be left of each symbol with proceeds due in ``session``, without slippage or commission.

    Parameters
    ----------
    portfolio
        Of the session before.
    fills
        Of ``session``; they are booked first.
    splits
        Symbol -> new shares per old share with ex-date in ``session``.
    opening
        Stands as the time of the closing.
    """
    closed = []
    for due in sorted((entry for entry in proceeds if entry.session == session), key=lambda entry: entry.symbol):
        quantity = _left(due.symbol, portfolio, fills, splits, universe)
        if quantity > 0:
            identity = closing_id(session, due.symbol)
            amount, free = due.amount_per_share, Decimal(0)
            closed.append(
                Fill(
                    identity,
                    RECORDED,
                    identity,
                    due.symbol,
                    Side.SELL,
                    quantity,
                    amount,
                    amount,
                    free,
                    opening,
                    session,
                )
            )
    return closed


def closing_record(fill: Fill) -> dict[str, str]:
    """Return a closing fill as JSON values."""
    value = to_cent(fill.quantity * fill.price)
    shares, each = f"{fill.quantity.normalize():f} shares", f"${fill.price.normalize():f} a share"
    return {
        "symbol": fill.symbol,
        "session": fill.session.isoformat(),
        "quantity": str(fill.quantity),
        "amount_per_share": str(fill.price),
        "proceeds": str(value),
        "message": f"{fill.symbol} was closed on {fill.session} by recorded proceeds: {shares} at {each}, "
        f"${value:,.2f}",
    }


def _left(
    symbol: str, portfolio: Portfolio, fills: Sequence[Fill], splits: Mapping[str, float], universe: Universe
) -> Decimal:
    position = portfolio.positions.get(symbol)
    quantity = position.quantity if position else Decimal(0)
    if symbol in splits:
        quantity = whole_lots(quantity * Decimal(repr(splits[symbol])), universe[symbol].lot_size)
    traded = (fill.quantity if fill.side is Side.BUY else -fill.quantity for fill in fills if fill.symbol == symbol)
    return quantity + sum(traded, Decimal(0))
