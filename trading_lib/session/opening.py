"""Execution at the opening. Input: the portfolio and the pending orders. Output: fills and cancellations.

Risk-reducing orders come first: spot sales and buying back shorts, then the rest in the order of the decision, each cut
to the cash available by then. The backtest and the daily run both call this.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np

from trading_lib.accounting.perpetuals import settle_perpetuals
from trading_lib.accounting.trades import cash_after
from trading_lib.domain.book.orders import Cancellation, Fill, Order, Side
from trading_lib.domain.book.portfolio import Portfolio
from trading_lib.domain.market.instruments import Instrument
from trading_lib.domain.market.perpetuals import is_perpetual
from trading_lib.domain.money import from_micros, price_micros, to_cents, to_micros, whole_lots
from trading_lib.domain.money_arithmetic import commission_on, paid_for, value_in_cents
from trading_lib.execution.openings import next_opening
from trading_lib.execution.refusals import (
    contradicted,
    no_longer_held,
    nothing_left,
    outside_range,
    without_cash,
    without_opening,
    without_spot,
)
from trading_lib.execution.simulated import execution_price, fill_at_open, meet_opening
from trading_lib.session.start import start_of_session

if TYPE_CHECKING:
    from trading_lib.session.inputs import SessionInput

NOTHING = Decimal(0)


def execute(
    data: SessionInput,
    portfolio: Portfolio,
    working: Sequence[Order],
    row: int,
    day: date,
    booked: Sequence[Fill] = (),
) -> tuple[list[Fill], list[Cancellation]]:
    """Fill the orders of the previous decision at their opening, as far as price and cash allow.

    An order is cancelled where there is no opening price, or one outside the range of its own bar. No fill takes cash
    below zero: a purchase is cut to whole lots that cash pays for. On the ex-date of a split an order is for as many
    new shares as its old shares became.

    Parameters
    ----------
    portfolio
        At the previous close. working
        In the order in which the decision lists them.
    booked
        Fills of this session that an interrupted run has stored; those of other orders have moved cash already.

    Returns
    -------
    tuple
        Fills in the order they were made, and what was not filled. An order that was cut is in both.
    """
    if not working:
        return [], []
    opening = _Opening(data, row, day, _before(data, portfolio, working, row, day, booked), working)
    for order in opening.in_turn():
        opening.take(order)
    return opening.filled, opening.cancelled


def _before(
    data: SessionInput, portfolio: Portfolio, working: Sequence[Order], row: int, day: date, booked: Sequence[Fill]
) -> _Cash:
    waiting = {order.client_order_id for order in working}
    cash = _Cash(start_of_session(data, portfolio, row, day), data)
    for fill in booked:
        if fill.client_order_id not in waiting:
            cash.book(fill)
    return cash


class _Cash:
    """Cash of each account in cents, and units of the two legs of a hedge, after the openings so far."""

    def __init__(self, portfolio: Portfolio, data: SessionInput) -> None:
        contract = data.universe.perpetuals
        self._spot = contract.spot if contract else None
        self._portfolio = portfolio
        self._account_of = data.account_of
        self._booked: list[Fill] = []
        self._cash = {name: to_cents(cash) for name, cash in data.accounts.cash_of(portfolio).items()}
        held = portfolio.positions.get(self._spot) if self._spot else None
        self.spot = held.quantity if held else NOTHING

    def held(self, symbol: str) -> Decimal:
        """Units of ``symbol`` after the fills so far."""
        position = self._portfolio.positions.get(symbol)
        moved = sum(
            (f.quantity if f.side is Side.BUY else -f.quantity for f in self._booked if f.symbol == symbol), NOTHING
        )
        return (position.quantity if position else NOTHING) + moved

    @property
    def unhedged(self) -> Decimal:
        """Units of the spot asset that no short stands against."""
        return self.spot - self._portfolio.hedged

    def there(self, symbol: str) -> int:
        """Cash of the account that trades ``symbol``."""
        return self._cash[self._account_of(symbol)]

    def after(self, fill: Fill) -> int:
        """Cash of the account that trades it, once ``fill`` is booked."""
        there = self.there(fill.symbol)
        if is_perpetual(fill.symbol):
            booked = settle_perpetuals(self._portfolio, [fill], ())
            return there + to_cents(booked.cash - self._portfolio.cash)
        value, commission = value_in_cents(to_micros(fill.quantity), to_micros(fill.price)), to_cents(fill.commission)
        return cash_after(there, fill.side is Side.BUY, value, commission)

    def book(self, fill: Fill) -> None:
        """Update cash and legs as settlement will."""
        self._booked.append(fill)
        self._cash[self._account_of(fill.symbol)] = self.after(fill)
        if is_perpetual(fill.symbol):
            self._portfolio = settle_perpetuals(self._portfolio, [fill], ())
        elif fill.symbol == self._spot:
            self.spot += fill.quantity if fill.side is Side.BUY else -fill.quantity


@dataclass(slots=True)
class _Met:
    """An order at its opening: the price before and after slippage in millionths, and the day of the bar."""

    order: Order
    instrument: Instrument
    opening: float
    price: int
    day: date


class _Opening:
    """One session's opening."""

    def __init__(self, data: SessionInput, row: int, day: date, cash: _Cash, working: Sequence[Order]) -> None:
        self._data, self._row, self._day, self._cash, self._working = data, row, day, cash, working
        contract = data.universe.perpetuals
        self._hedged = contract.spot if contract and any(is_perpetual(o.symbol) for o in working) else None
        self._shorts = [o for o in working if is_perpetual(o.symbol) and o.side is Side.SELL] if self._hedged else []
        # Units that may be sold short in all: what was ordered, less what the spot leg falls short by.
        self._allowed = sum((self._split(order) for order in self._shorts), NOTHING)
        # The session that was decided last; later orders are of days without one.
        self._first = data.panel.sessions[row - 1].item()
        self.filled: list[Fill] = []
        self.cancelled: list[Cancellation] = []

    def in_turn(self) -> list[Order]:
        """Orders that reduce risk first; a short right behind the purchase that it hedges.

        What a day without a session sold traded after the orders of the session before it.
        """
        places = {order.client_order_id: number for number, order in enumerate(self._working)}
        bought = [o for o in self._working if o.symbol == self._hedged and o.side is Side.BUY]

        def turn(order: Order) -> tuple[bool, bool, int, bool, int]:
            place, later = places[order.client_order_id], order.session > self._first
            short = is_perpetual(order.symbol)
            if order.side is (Side.BUY if short else Side.SELL):
                return later, False, place, False, place
            return later, True, places[bought[0].client_order_id] if short and bought else place, short, place

        return sorted(self._working, key=turn)

    def take(self, order: Order) -> None:
        """Fill what can be filled of one order, and cancel the rest."""
        instrument, column = self._data.universe.traded(order.symbol)
        at = next_opening(instrument, order.session, self._data.calendar)
        price, low, high = self._bar(order, column, at.date())
        split = float(self._data.panel.split[self._row, column])
        adjusted = order if split == 1.0 else replace(order, quantity=self._split(order))
        if not (np.isfinite(price) and price > 0):
            self._cancel(adjusted, adjusted.quantity, without_opening(order.symbol, at.date()))
        elif contradicted(price, low, high, self._data.paper.price_unit):
            self._cancel(adjusted, adjusted.quantity, outside_range(order.symbol, at.date(), price, low, high))
        elif adjusted.quantity <= 0:
            self._cancel(adjusted, NOTHING, nothing_left(order.symbol, at.date(), split))
        else:
            slippage = to_micros(instrument.slippage_rate)
            executed = execution_price(
                price_micros(price), order.side is Side.BUY, slippage, self._data.paper.price_unit
            )
            met = _Met(adjusted, instrument, price, executed, at.date())
            quantity, reason = self._allowed_quantity(met)
            if quantity > 0:
                sized = adjusted if quantity == adjusted.quantity else replace(adjusted, quantity=quantity)
                fill = fill_at_open(sized, price, instrument, at, self._day, self._data.paper)
                self._cash.book(fill)
                self.filled.append(fill)
            if quantity < adjusted.quantity:
                self._cancel(adjusted, adjusted.quantity - quantity, reason)

    def _bar(self, order: Order, column: int, day: date) -> tuple[float, float, float]:
        """Open, low and high of the bar that fills the order."""
        panel, row = self._data.panel, self._row
        if order.session > self._first:
            return panel.daily[order.symbol].opening(day)
        return (
            float(panel.fill_open[row, column]),
            float(panel.fill_low[row, column]),
            float(panel.fill_high[row, column]),
        )

    def _split(self, order: Order) -> Decimal:
        instrument, column = self._data.universe.traded(order.symbol)
        split = float(self._data.panel.split[self._row, column])
        return (
            order.quantity if split == 1.0 else whole_lots(order.quantity * Decimal(repr(split)), instrument.lot_size)
        )

    def _cancel(self, order: Order, left: Decimal, reason: str) -> None:
        if order.symbol == self._hedged and order.side is Side.BUY:
            self._allowed -= left
        self.cancelled.append(Cancellation(order.client_order_id, order.symbol, order.side, left, self._day, reason))

    def _allowed_quantity(self, met: _Met) -> tuple[Decimal, str]:
        """Quantity that may be filled, and why it is no more."""
        order, there = met.order, self._cash.there(met.order.symbol)
        if is_perpetual(order.symbol):
            return self._bought_back(met) if order.side is Side.BUY else self._sold_short(met)
        if order.side is Side.SELL and order.session > self._first:
            return self._still_held(met)
        if order.symbol == self._hedged and self._shorts and order.side is Side.BUY:
            quantity = _most(order.quantity, met.instrument.lot_size, lambda units: self._pays_both_legs(units, met))
        else:
            quantity = self._spot_quantity(met)
        return quantity, without_cash(order.symbol, met.day, there, quantity, order.quantity, met.price)

    def _spot_quantity(self, met: _Met) -> Decimal:
        instrument = met.instrument
        quantity, _, _ = meet_opening(
            to_micros(met.order.quantity),
            met.order.side is Side.BUY,
            price_micros(met.opening),
            to_micros(instrument.lot_size),
            to_micros(instrument.commission_rate),
            to_micros(instrument.slippage_rate),
            self._data.paper.price_unit,
            self._cash.there(met.order.symbol),
        )
        return from_micros(quantity)

    def _still_held(self, met: _Met) -> tuple[Decimal, str]:
        """Sell at most what is held: the purchase before a day without a session may have been cut at its opening."""
        order = met.order
        held = self._cash.held(order.symbol)
        quantity = min(order.quantity, held)
        return quantity, no_longer_held(order.symbol, met.day, quantity, order.quantity)

    def _pays_both_legs(self, units: Decimal, met: _Met) -> bool:
        """Whether cash pays for that much spot and for the commission of the shorts against it."""
        short = min(max(self._allowed - (met.order.quantity - units), NOTHING), self._cash.unhedged + units)
        needed = paid_for(to_micros(units), met.price, to_micros(met.instrument.commission_rate))
        if short > 0:
            contract = self._data.universe.traded(self._shorts[0].symbol)[0]
            # Each short's commission is rounded to the cent by itself.
            commission = commission_on(to_micros(short), price_micros(met.opening), to_micros(contract.commission_rate))
            needed += commission + len(self._shorts)
        return needed <= self._cash.there(met.order.symbol)

    def _sold_short(self, met: _Met) -> tuple[Decimal, str]:
        """Sell no more short than the spot leg holds, than it was filled for, or than cash pays commission for."""
        order, there = met.order, self._cash.there(met.order.symbol)
        lot = met.instrument.lot_size
        covered = whole_lots(max(min(order.quantity, self._allowed, self._cash.unhedged), NOTHING), lot)
        quantity = _most(covered, lot, lambda units: self._stays_positive(units, met))
        self._allowed -= quantity
        if quantity < covered:
            return quantity, without_cash(order.symbol, met.day, there, quantity, order.quantity, met.price)
        return quantity, without_spot(order.symbol, met.day, self._hedged or "", quantity, order.quantity)

    def _bought_back(self, met: _Met) -> tuple[Decimal, str]:
        """Buy back as far as cash covers the loss, and always as much as was sold of the spot leg."""
        order, there = met.order, self._cash.there(met.order.symbol)
        lot = met.instrument.lot_size
        # What the spot leg sold would otherwise leave the short naked; its proceeds are there to pay for it.
        least = min(max(-self._cash.unhedged, NOTHING), order.quantity)
        quantity = max(_most(order.quantity, lot, lambda units: self._stays_positive(units, met)), least)
        return quantity, without_cash(order.symbol, met.day, there, quantity, order.quantity, met.price)

    def _stays_positive(self, units: Decimal, met: _Met) -> bool:
        sized = replace(met.order, quantity=units)
        at = next_opening(met.instrument, sized.session, self._data.calendar)
        return self._cash.after(fill_at_open(sized, met.opening, met.instrument, at, self._day, self._data.paper)) >= 0


def _most(quantity: Decimal, lot: Decimal, fits: Callable[[Decimal], bool]) -> Decimal:
    """Return all of ``quantity`` when it fits, else as many whole lots as do."""
    if quantity <= 0 or fits(quantity):
        return max(quantity, NOTHING)
    low, high = 0, int(quantity / lot)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle * lot) else (low, middle)
    return low * lot
