"""Closed trades: the realised profit of each closing fill, from the previous portfolio and the session's bookings.

Input: the portfolio of an earlier session and everything booked since. Output: a `ClosedTrade` for each closing fill,
and the portfolio that follows. It books with the functions of settlement, so its profits add up to those of the books.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from enum import StrEnum

from trading_lib.accounting.perpetuals import settle_perpetuals, split_perpetuals
from trading_lib.accounting.settle import apply_actions, apply_fills, mark
from trading_lib.domain.book.orders import Fill, Side
from trading_lib.domain.book.portfolio import Portfolio, to_cent
from trading_lib.domain.market.instruments import Universe
from trading_lib.domain.market.perpetuals import is_perpetual
from trading_lib.domain.money import from_micros, to_micros

# Stands for broker and trade id where a split left a fraction of a lot that no order closed.
CORPORATE_ACTION = "corporate-action"


class Direction(StrEnum):
    """The side of the position that the trade closed."""

    LONG = "LONG"
    SHORT = "SHORT"


@dataclass(frozen=True, slots=True)
class BookedSession:
    """The bookings of one session.

    Attributes
    ----------
    fills
        In the order they were booked.
    splits
        Symbol -> new units per old one; symbols not held at the previous close are ignored.
    closes
        Symbol -> raw close, NaN where there is none; perpetuals have that of their spot asset.
    """

    session: date
    fills: Sequence[Fill] = ()
    splits: Mapping[str, float] = field(default_factory=dict)
    closes: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OpenTrade:
    """The opening session of a position, and the opening commissions not yet charged to a closed trade."""

    opened_session: date
    commission: Decimal


@dataclass(frozen=True, slots=True)
class ClosedTrade:
    """A position, or the part of one, that an execution closed.

    Attributes
    ----------
    opened_session
        Session of the first execution since the position was last flat.
    quantity
        Units closed, positive; a split counts the units of the closing session.
    entry_price, exit_price
        Average cost, and price of the execution with its slippage, in dollars per unit.
    gross_pnl
        Profit at average cost in whole cents, what `Portfolio.realised_pnl` grew by; without dividends and funding.
    commission
        Of the closing execution, and the closed part's share of the opening ones.
    holding_sessions
        From the opening to the closing session, 0 within one.
    purpose, reason
        Of the closing order, "" where none is known.
    """

    symbol: str
    direction: Direction
    opened_session: date
    closed_session: date
    quantity: Decimal
    entry_price: Decimal
    exit_price: Decimal
    gross_pnl: Decimal
    commission: Decimal
    broker: str
    trade_id: str
    client_order_id: str
    holding_sessions: int = 0
    purpose: str = ""
    reason: str = ""

    @property
    def realised_pnl(self) -> Decimal:
        """Profit after commissions, in whole cents."""
        return self.gross_pnl - self.commission


def is_closing(fill: Fill) -> bool:
    """Whether a fill closes a position: spot assets are only held long, perpetuals only short."""
    return fill.side is (Side.BUY if is_perpetual(fill.symbol) else Side.SELL)


class ClosedTradeLedger:
    """Walks through the sessions of a book and names the trades that each of them closed.

    Parameters
    ----------
    portfolio
        Of the session before the first one walked through.
    open_trades
        Symbol -> of every position of ``portfolio``.
    """

    def __init__(self, portfolio: Portfolio, open_trades: Mapping[str, OpenTrade], universe: Universe) -> None:
        self.portfolio = portfolio
        self.open_trades = dict(open_trades)
        self._universe = universe

    def walk(self, sessions: Iterable[BookedSession]) -> list[ClosedTrade]:
        """Book the sessions in order; see the errors of `apply_fills` and `settle_perpetuals`."""
        return [trade for booked in sessions for trade in self._session(booked)]

    def _session(self, booked: BookedSession) -> Iterator[ClosedTrade]:
        if booked.splits:
            yield from self._split(booked)
        for fill in booked.fills:
            if not is_perpetual(fill.symbol):
                yield from self._book(fill)
        for fill in sorted(booked.fills, key=lambda one: one.filled_at):
            if is_perpetual(fill.symbol):
                yield from self._book(fill)
        self.portfolio = mark(self.portfolio, booked.closes, booked.session)

    def _book(self, fill: Fill) -> Iterator[ClosedTrade]:
        before, held = self.portfolio, _held(self.portfolio, fill.symbol)
        short = is_perpetual(fill.symbol)
        self.portfolio = settle_perpetuals(before, [fill], ()) if short else apply_fills(before, [fill])
        open_trade = self.open_trades.get(fill.symbol, OpenTrade(fill.session, Decimal(0)))
        if not is_closing(fill):
            self.open_trades[fill.symbol] = OpenTrade(
                open_trade.opened_session, open_trade.commission + fill.commission
            )
            return
        borne = self._leave(fill.symbol, open_trade, fill.quantity, held)
        yield ClosedTrade(
            symbol=fill.symbol,
            direction=Direction.SHORT if short else Direction.LONG,
            opened_session=open_trade.opened_session,
            closed_session=fill.session,
            quantity=fill.quantity,
            entry_price=_entry_price(before, fill.symbol),
            exit_price=fill.price,
            gross_pnl=self.portfolio.realised_pnl - before.realised_pnl,
            commission=borne + fill.commission,
            broker=fill.broker,
            trade_id=fill.trade_id,
            client_order_id=fill.client_order_id,
        )

    def _split(self, booked: BookedSession) -> Iterator[ClosedTrade]:
        """Restate the position after a split; a fraction of a lot of a perpetual is closed at its mark."""
        before, contract = self.portfolio, self._universe.perpetuals
        splits = {s: ratio for s, ratio in booked.splits.items() if ratio != 1.0 and s in before.positions}
        self.portfolio = apply_actions(before, {}, splits, self._universe)
        if contract is not None and contract.spot in splits:
            ratio, lot = Decimal(repr(splits[contract.spot])), self._universe[contract.spot].lot_size
            for symbol in before.perpetuals:
                yield from self._split_short(before, symbol, ratio, lot, booked.session)
        for symbol in [s for s in self.open_trades if not _held(self.portfolio, s)]:
            del self.open_trades[symbol]

    def _split_short(
        self, before: Portfolio, symbol: str, ratio: Decimal, lot: Decimal, session: date
    ) -> Iterator[ClosedTrade]:
        held = before.perpetuals[symbol]
        alone = split_perpetuals(replace(before, perpetuals={symbol: held}), ratio, lot)
        exact = -held.quantity * ratio
        closed = exact - _held(alone, symbol)
        if not closed:
            return
        open_trade = self.open_trades[symbol]
        yield ClosedTrade(
            symbol=symbol,
            direction=Direction.SHORT,
            opened_session=open_trade.opened_session,
            closed_session=session,
            quantity=closed,
            entry_price=from_micros(to_micros(_entry_price(before, symbol) / ratio)),
            exit_price=from_micros(to_micros(held.mark / ratio)),
            gross_pnl=alone.realised_pnl - before.realised_pnl,
            commission=self._leave(symbol, open_trade, closed, exact),
            broker=CORPORATE_ACTION,
            trade_id=f"{session}-{symbol}",
            client_order_id="",
        )

    def _leave(self, symbol: str, open_trade: OpenTrade, closed: Decimal, held: Decimal) -> Decimal:
        """Take the opening commission of the closed part; the last part takes the remainder."""
        if closed == held:
            self.open_trades.pop(symbol, None)
            return open_trade.commission
        borne = to_cent(open_trade.commission * closed / held)
        self.open_trades[symbol] = OpenTrade(open_trade.opened_session, open_trade.commission - borne)
        return borne


def _held(portfolio: Portfolio, symbol: str) -> Decimal:
    """Units held long, or sold short."""
    if symbol in portfolio.positions:
        return portfolio.positions[symbol].quantity
    return -portfolio.perpetuals[symbol].quantity if symbol in portfolio.perpetuals else Decimal(0)


def _entry_price(portfolio: Portfolio, symbol: str) -> Decimal:
    if symbol in portfolio.positions:
        return portfolio.positions[symbol].average_cost
    short = portfolio.perpetuals[symbol]
    return from_micros(to_micros(short.entry_value / short.quantity))
