"""An independent second count: positions and cash rebuilt from the fills alone, compared with the stored portfolio."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from trading_lib.domain.orders import Fill, Side
from trading_lib.domain.portfolio import Portfolio, to_cent

Split = tuple[date, str, Decimal]


def unexplained_differences(
    portfolio: Portfolio, initial_cash: Decimal, fills: Sequence[Fill], splits: Sequence[Split] = ()
) -> list[str]:
    """Differences between the portfolio and what the fills say, one line each; empty when they agree.

    Parameters
    ----------
    fills
        Every execution of the book up to the portfolio's session.
    splits
        (session, symbol, new shares per old share) since the book was opened. A split of a held position pays
        out fractions of a lot in cash, which fills cannot show: its symbol and the cash are then not compared.
    """
    quantities, cash, split_held = _rebuild(fills, splits)
    cash += initial_cash + portfolio.dividends
    found = []
    for symbol in sorted(portfolio.positions.keys() | quantities.keys()):
        position = portfolio.positions.get(symbol)
        stored = position.quantity if position else Decimal(0)
        counted = quantities.get(symbol, Decimal(0))
        if stored != counted and symbol not in split_held:
            found.append(f"{symbol}: {stored} stored, {counted} from fills")
    if cash != portfolio.cash and not split_held:
        found.append(f"cash: {portfolio.cash} stored, {cash} from fills")
    return found


def _rebuild(fills: Sequence[Fill], splits: Sequence[Split]) -> tuple[dict[str, Decimal], Decimal, set[str]]:
    quantities: dict[str, Decimal] = {}
    cash, split_held = Decimal(0), set()
    pending = sorted(splits)
    for fill in sorted(fills, key=lambda f: f.session):
        while pending and pending[0][0] <= fill.session:
            split_held |= _apply(pending.pop(0), quantities)
        sign = 1 if fill.side is Side.BUY else -1
        quantities[fill.symbol] = quantities.get(fill.symbol, Decimal(0)) + sign * fill.quantity
        cash -= sign * to_cent(fill.quantity * fill.price) + fill.commission
    for split in pending:
        split_held |= _apply(split, quantities)
    return quantities, cash, split_held


def _apply(split: Split, quantities: dict[str, Decimal]) -> set[str]:
    _, symbol, ratio = split
    if not quantities.get(symbol):
        return set()
    quantities[symbol] *= ratio
    return {symbol}
