"""Orders, fills and events of a run as objects, built from its numbers when somebody asks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np

from trading_lib.backtest.session_loop.book import ASSET, BUYING, QUANTITY, evening_of
from trading_lib.backtest.session_loop.evenings import unload
from trading_lib.backtest.session_loop.log import (
    COMMISSION,
    FILL_ASSET,
    FILL_BUYING,
    FILL_QUANTITY,
    PRICE,
    REFERENCE_PRICE,
    ROW,
)
from trading_lib.backtest.session_loop.run import LongWay, Run, Stretch
from trading_lib.backtest.trading_session import BacktestInput, SessionOutcome, trade_session
from trading_lib.domain.money import from_cents, from_micros, price_micros, to_cents
from trading_lib.domain.orders import Fill, Order, Side, client_order_id
from trading_lib.domain.risk import RiskEvent
from trading_lib.execution.openings import next_opening
from trading_lib.execution.simulated import SIMULATED_BROKER, trade_id
from trading_lib.orders.generate import rebalancing_order
from trading_lib.performance.trade_arrays import TradeArrays, trade_arrays
from trading_lib.strategies.registry import running_sleeves


@dataclass(frozen=True, slots=True)
class Records:
    """See the fields of the same names in `BacktestResult`."""

    orders: tuple[Order, ...]
    events: tuple[RiskEvent, ...]
    denied: tuple[tuple[Order, str], ...]


@dataclass(frozen=True, slots=True)
class Executions:
    """See the fields of the same names in `BacktestResult`."""

    fills: tuple[Fill, ...]
    cancelled: tuple[str, ...]


def executions_of(run: Run) -> Executions:
    """Collect what filled and what was cancelled."""
    fills: list[Fill] = []
    cancelled: list[str] = []
    for part in run.parts:
        if isinstance(part, LongWay):
            fills += part.outcome.fills
            cancelled += part.outcome.cancelled
            continue
        for fill in part.log.fills[part.fills].tolist():
            if fill[PRICE]:
                fills.append(_fill(run.data, fill))
            else:
                cancelled.append(_identity(run.data, fill[ROW] - 1, fill[FILL_ASSET], fill[FILL_BUYING]))
    return Executions(tuple(fills), tuple(cancelled))


def trades_of(run: Run) -> TradeArrays:
    """Collect what filled in whole numbers, assets numbered as in the universe, without making objects of it."""
    numbers = dict(run.data.universe.positions)
    parts = [
        trade_arrays(part.outcome.fills, numbers) if isinstance(part, LongWay) else _logged(part) for part in run.parts
    ]
    return TradeArrays(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


def _logged(part: Stretch) -> TradeArrays:
    fills = part.log.fills[part.fills]
    fills = fills[fills[:, PRICE] > 0]
    sign = np.where(fills[:, FILL_BUYING] != 0, 1, -1)
    asset, price, reference, commission = fills[:, [FILL_ASSET, PRICE, REFERENCE_PRICE, COMMISSION]].T
    return TradeArrays(asset, fills[:, FILL_QUANTITY] * sign, price, reference, commission)


def records_of(run: Run) -> Records:
    """Collect orders with their reasons, events, and what the pre-trade checks refused."""
    orders: list[Order] = []
    events: list[RiskEvent] = []
    denied: list[tuple[Order, str]] = []
    for part in run.parts:
        if isinstance(part, LongWay):
            orders += part.outcome.evening.working
            events += part.outcome.decision.assessment.events
            denied += part.outcome.denied
        else:
            told = _told(run.data, part)
            # Both in order of their sessions, and a session's orders in the order they were sent.
            by_session = [(order.session, order) for order in _orders(run.data, part, told)]
            by_session += [(o.session, order) for o in told.values() for order in o.evening.working]
            orders += [order for _, order in sorted(by_session, key=lambda entry: entry[0])]
            events += [event for outcome in told.values() for event in outcome.decision.assessment.events]
    return Records(tuple(orders), tuple(events), tuple(denied))


def count_orders(run: Run) -> int:
    """Count the accepted orders."""
    return sum(
        len(part.outcome.evening.working) if isinstance(part, LongWay) else part.orders.stop - part.orders.start
        for part in run.parts
    )


def _day(data: BacktestInput, row: int) -> date:
    day: date = data.panel.sessions[row].item()
    return day


def _identity(data: BacktestInput, row: int, asset: int, buying: int) -> str:
    side = Side.BUY if buying else Side.SELL
    return client_order_id(data.book, _day(data, row), data.universe.symbols[asset], side)


def _fill(data: BacktestInput, fill: list[int]) -> Fill:
    asset, decided = fill[FILL_ASSET], _day(data, fill[ROW] - 1)
    instrument = data.universe.instruments[asset]
    identity = _identity(data, fill[ROW] - 1, asset, fill[FILL_BUYING])
    return Fill(
        trade_id=trade_id(identity),
        broker=SIMULATED_BROKER,
        client_order_id=identity,
        symbol=instrument.symbol,
        side=Side.BUY if fill[FILL_BUYING] else Side.SELL,
        quantity=from_micros(fill[FILL_QUANTITY]),
        price=from_micros(fill[PRICE]),
        reference_price=from_micros(fill[REFERENCE_PRICE]),
        commission=from_cents(fill[COMMISSION]),
        filled_at=next_opening(instrument, decided, data.calendar),
        session=_day(data, fill[ROW]),
    )


def _orders(data: BacktestInput, part: Stretch, told: Mapping[int, SessionOutcome]) -> Iterator[Order]:
    """Orders of a stretch; those of sessions that were told in words come with the words."""
    sleeves = running_sleeves(data.config.strategy)
    log, outlook = part.log, part.outlook
    for row, *order in log.orders[part.orders].tolist():
        if row in told:
            continue
        asset, step = order[ASSET], row - outlook.first
        yield rebalancing_order(
            data.universe.instruments[asset],
            Side.BUY if order[BUYING] else Side.SELL,
            order[QUANTITY],
            price_micros(float(data.panel.close[row, asset])),
            _day(data, row),
            data.book,
            int(outlook.codes[step, asset]),
            float(outlook.confidence[step, asset]),
            float(log.held[step, asset]),
            float(log.approved[step, asset]),
            [(s.name, s.budget * float(log.targets[step, k, asset])) for k, s in enumerate(sleeves)],
        )


def _told(data: BacktestInput, part: Stretch) -> dict[int, SessionOutcome]:
    """Trade notable sessions again, the long way and from the same evening; they must come to the same value."""
    sleeves = running_sleeves(data.config.strategy)
    told = {}
    for row in (np.flatnonzero(part.log.notable[part.steps]) + part.first).tolist():
        step = row - part.outlook.first
        before = unload(evening_of(part.evenings, step), _day(data, row - 1), data.book, data.universe, sleeves)
        outcome = trade_session(data, row, before)
        if to_cents(outcome.evening.portfolio.nav) != part.log.nav[step]:
            raise RuntimeError(f"session {outcome.session} came to another value when it was told in words")
        told[row] = outcome
    return told
