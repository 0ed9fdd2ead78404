"""Days without a session: the stops of assets that trade every day are checked; nothing is bought.

Input: a book after its last session, and the daily bars complete by then. Output: the sales that a stop leads to, which
trade at the opening of the next UTC day. The backtest and the daily run both call this.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from trading_lib.domain.book.holdings import average_cost
from trading_lib.domain.book.orders import Order, Side
from trading_lib.domain.book.portfolio import Portfolio, Position
from trading_lib.domain.decision.risk import RiskEvent, RiskState
from trading_lib.domain.market.instruments import Instrument
from trading_lib.domain.market.perpetuals import is_perpetual
from trading_lib.domain.market.prices import FloatArray
from trading_lib.domain.money import exact_price, from_micros, price_micros, to_micros
from trading_lib.execution.simulated import execution_price
from trading_lib.orders.generate import reducing_order
from trading_lib.orders.pre_trade import PreTradeContext
from trading_lib.orders.rebalancing import excess_of
from trading_lib.risk.assess import check_stops
from trading_lib.session.clear import split
from trading_lib.session.inputs import SessionInput

NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class RiskOnlyDay:
    """What a day without a session did to a book.

    Attributes
    ----------
    orders, denied
        Sales that passed the pre-trade checks, and those that did not with the reason.
    risk
        The state that the next session starts from.
    """

    day: date
    orders: tuple[Order, ...]
    denied: tuple[tuple[Order, str], ...]
    events: tuple[RiskEvent, ...]
    risk: RiskState


def days_without_session(before: date, session: date) -> list[date]:
    """Days strictly between two consecutive sessions."""
    return [before + timedelta(days=k) for k in range(1, (session - before).days)]


def risk_only_days(
    data: SessionInput, portfolio: Portfolio, risk: RiskState, working: Sequence[Order], session: date
) -> Iterator[RiskOnlyDay]:
    """Check every day between the portfolio's session and ``session``; days on which no stop fires are left out."""
    waiting = tuple(working)
    if not data.config.risk.stops.days_without_session:
        return
    for day in days_without_session(portfolio.session, session):
        checked = check_day(data, portfolio, risk, waiting, day)
        if checked is not None:
            yield checked
            risk, waiting = checked.risk, (*waiting, *checked.orders)


def lowest_between(data: SessionInput) -> FloatArray:
    """Lowest price known on the days without a session before each row, shape (T, n); NaN where nothing is checked."""
    panel = data.panel
    lowest = np.full(panel.close.shape, np.nan)
    if not data.config.risk.stops.days_without_session:
        return lowest
    after_gaps = np.flatnonzero(np.diff(panel.sessions).astype(np.int64) > 1) + 1
    for symbol, bars in panel.daily.items():
        # The checks of the days between see the closes from that of the session's own day on, or the newest before.
        stop = np.searchsorted(bars.days, panel.sessions[after_gaps] - 1)
        start = np.searchsorted(bars.days, panel.sessions[after_gaps - 1], side="right") - 1
        lowest[after_gaps, data.universe.positions[symbol]] = _lowest(bars.close, np.maximum(start, 0), stop)
    return lowest


def _lowest(values: FloatArray, start: NDArray[np.intp], stop: NDArray[np.intp]) -> FloatArray:
    """Smallest finite value in each window [start, stop), NaN where there is none."""
    bounds = np.stack((start, stop), axis=1).ravel()
    # A window may end after the last value; for an empty one reduceat returns the value at its start.
    smallest = np.fmin.reduceat(np.append(values, np.nan), bounds)[::2]
    return np.where((stop > start) & np.isfinite(smallest), smallest, np.nan)


def check_day(
    data: SessionInput,
    portfolio: Portfolio,
    risk: RiskState,
    working: Sequence[Order],
    day: date,
    kill_switch: bool = False,
) -> RiskOnlyDay | None:
    """Check the stops of one day; None when none fires.

    Parameters
    ----------
    portfolio
        After the last session's settlement.
    working
        Orders sent since, also those of the days between. One that had its opening by now counts as filled whole: what
        an opening cut is found at the settlement, which sells no more than there is.
    """
    held = _held(data, portfolio, working, day)
    losing = replace(
        portfolio,
        positions={position.symbol: position for position, _ in held.values()},
        marks={symbol: mark for symbol, (_, mark) in held.items()},
        perpetuals={},
    )
    # The cool-off is counted in sessions, and this day is none: a new one begins with the next session.
    step = check_stops(replace(risk, cooling_off={}), losing, data.universe, day, data.config.risk, risk.retired)
    if not step.events:
        return None
    cooling = {symbol: left + 1 for symbol, left in step.cooling_off.items()}
    state = replace(
        risk,
        session=day,
        halved=risk.halved | (step.halved & held.keys()),
        cooling_off={**risk.cooling_off, **cooling},
    )
    orders = tuple(
        reducing_order(data.universe[symbol], losing, excess, day, data.book, step.reasons[symbol])
        for symbol, ceiling in step.ceilings.items()
        if (excess := _excess(losing.positions[symbol], ceiling, data.universe[symbol])) > 0
    )
    prices = {symbol: float(mark) for symbol, mark in losing.marks.items()}
    context = PreTradeContext(data.universe, losing, None, prices, data.config.pre_trade, kill_switch, orders)
    cleared = split(orders, context)
    return RiskOnlyDay(day, cleared.accepted, cleared.denied, step.events, state)


def _excess(position: Position, ceiling: Decimal, instrument: Instrument) -> int:
    return excess_of(to_micros(position.quantity), to_micros(ceiling), to_micros(instrument.lot_size))


def _held(
    data: SessionInput, portfolio: Portfolio, working: Sequence[Order], day: date
) -> dict[str, tuple[Position, Decimal]]:
    """Symbol -> position and newest complete price of held assets that trade every day, on ``day``."""
    held = {}
    for symbol, bars in data.panel.daily.items():
        close = bars.known_close(day)
        position = _position(data, data.universe[symbol], portfolio, working, day)
        if position.quantity > 0 and np.isfinite(close):
            held[symbol] = position, exact_price(close)
    return held


def _position(
    data: SessionInput, instrument: Instrument, portfolio: Portfolio, working: Sequence[Order], day: date
) -> Position:
    symbol = instrument.symbol
    held = portfolio.positions.get(symbol)
    quantity, cost = (held.quantity, float(held.average_cost)) if held else (NOTHING, 0.0)
    for order in working:
        if order.symbol != symbol:
            continue
        if order.side is Side.SELL:
            quantity -= order.quantity
            continue
        opening = data.panel.daily[symbol].opening(order.session + timedelta(days=1))[0]
        if order.session + timedelta(days=1) > day or not opening > 0:
            continue
        slippage = to_micros(instrument.slippage_rate)
        paid = float(from_micros(execution_price(price_micros(opening), True, slippage, data.paper.price_unit)))
        total = quantity + order.quantity
        cost = (float(quantity) * cost + float(order.quantity) * paid) / float(total)
        quantity = total
    return Position(symbol, quantity - _hedged(data, portfolio, working, symbol), average_cost(cost))


def _hedged(data: SessionInput, portfolio: Portfolio, working: Sequence[Order], symbol: str) -> Decimal:
    """Units that a short hedges, or will: a stop does not sell them."""
    contract = data.universe.perpetuals
    if contract is None or contract.spot != symbol:
        return NOTHING
    shorts = (order.quantity for order in working if is_perpetual(order.symbol) and order.side is Side.SELL)
    return portfolio.hedged + sum(shorts, NOTHING)
