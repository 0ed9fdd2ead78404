"""Spot holdings as arrays of fixed-point integers: the only place where a `Portfolio` becomes arrays and back.

Kernels of orders and of accounting, and the compiled loop, work on these arrays; see `domain.money` for their units.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from typing import NamedTuple

import numpy as np

from trading_lib.domain.book.portfolio import Portfolio, Position
from trading_lib.domain.market.prices import FloatArray, IntegerArray
from trading_lib.domain.money import from_cents, from_micros, to_cents, to_micros

# Places in an account: cash, and totals since the book was opened, all in cents.
CASH, REALISED, DIVIDENDS, COSTS = range(4)


class Holdings(NamedTuple):
    """Cash and quantities of n assets.

    Attributes
    ----------
    account
        Shape (4,), cents: see `CASH` and its neighbours.
    quantity, mark
        Shape (n,), millionths of a unit and of a dollar; a mark means nothing where nothing is held.
    average_cost
        Shape (n,), dollars per unit; 0 where nothing is held.
    """

    account: IntegerArray
    quantity: IntegerArray
    mark: IntegerArray
    average_cost: FloatArray


def empty_holdings(assets: int) -> Holdings:
    """Allocate empty holdings."""
    return Holdings(np.zeros(4, np.int64), np.zeros(assets, np.int64), np.zeros(assets, np.int64), np.zeros(assets))


def write_holdings(portfolio: Portfolio, places: Mapping[str, int], holdings: Holdings) -> None:
    """Overwrite ``holdings`` with a portfolio's spot assets.

    Parameters
    ----------
    places
        Symbol -> its place in the arrays; all that is held has one.
    """
    totals = (portfolio.cash, portfolio.realised_pnl, portfolio.dividends, portfolio.costs)
    holdings.account[:] = [to_cents(total) for total in totals]
    holdings.quantity[:], holdings.mark[:], holdings.average_cost[:] = 0, 0, 0.0
    for symbol, position in portfolio.positions.items():
        i = places[symbol]
        holdings.quantity[i] = to_micros(position.quantity)
        holdings.mark[i] = to_micros(portfolio.marks[symbol])
        holdings.average_cost[i] = float(position.average_cost)


def holdings_of(portfolio: Portfolio, symbols: Sequence[str]) -> Holdings:
    """Return a portfolio's spot assets as arrays in the order of ``symbols``, which has all that is held."""
    holdings = empty_holdings(len(symbols))
    write_holdings(portfolio, {symbol: i for i, symbol in enumerate(symbols)}, holdings)
    return holdings


def with_holdings(portfolio: Portfolio, holdings: Holdings, symbols: Sequence[str]) -> Portfolio:
    """Return the portfolio with these spot assets, cash and totals; the rest of it stays as it is."""
    account = [from_cents(cents) for cents in holdings.account.tolist()]
    columns = (holdings.quantity.tolist(), holdings.mark.tolist(), holdings.average_cost.tolist())
    held = [(s, *numbers) for s, *numbers in zip(symbols, *columns, strict=True) if numbers[0] != 0]
    return replace(
        portfolio,
        cash=account[CASH],
        realised_pnl=account[REALISED],
        dividends=account[DIVIDENDS],
        costs=account[COSTS],
        positions={s: Position(s, from_micros(quantity), average_cost(cost)) for s, quantity, _, cost in held},
        marks={s: from_micros(mark) for s, _, mark, _ in held},
    )


def average_cost(cost: float) -> Decimal:
    """Average cost as the decimal it is written as, which reads back as the same number."""
    return Decimal(repr(cost))
