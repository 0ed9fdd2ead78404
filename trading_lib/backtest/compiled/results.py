"""Orders, fills and events of a run as objects, built from its arrays on request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np

from trading_lib.backtest.compiled.book import ASSET, BUYING, QUANTITY, book_at
from trading_lib.backtest.compiled.convert import Conversion
from trading_lib.backtest.compiled.journal import (
    CASH_THERE,
    COMMISSION,
    FILL_ASSET,
    FILL_BUYING,
    FILL_QUANTITY,
    LEFT,
    ORDER_MARK,
    PRICE,
    REFERENCE_PRICE,
    ROW,
)
from trading_lib.backtest.compiled.run import Run, Segment, SlowSession
from trading_lib.domain.book.orders import Cancellation, Fill, Order, Side, client_order_id
from trading_lib.domain.decision.risk import RiskEvent
from trading_lib.domain.money import from_cents, from_micros, price_micros, to_cents
from trading_lib.execution.openings import next_opening
from trading_lib.execution.refusals import outside_range, without_cash, without_opening
from trading_lib.execution.simulated import SIMULATED_BROKER, trade_id
from trading_lib.orders.generate import rebalancing_order
from trading_lib.performance.trading.trade_arrays import TradeArrays, trade_arrays
from trading_lib.risk.events import pair_events
from trading_lib.risk.levels.resolution import SessionEvents, with_resolutions
from trading_lib.risk.limits.pair_rules import named_pairs
from trading_lib.session.inputs import SessionInput
from trading_lib.session.step import SessionOutcome, trade_session
from trading_lib.strategies.registry import running_sleeves


@dataclass(frozen=True, slots=True)
class Results:
    """See the fields of the same names in `BacktestResult`."""

    orders: tuple[Order, ...]
    events: tuple[RiskEvent, ...]


@dataclass(frozen=True, slots=True)
class Executions:
    """See the fields of the same names in `BacktestResult`."""

    fills: tuple[Fill, ...]
    cancelled: tuple[Cancellation, ...]


def executions_of(run: Run) -> Executions:
    """Collect what filled and what was cancelled."""
    fills: list[Fill] = []
    cancelled: list[Cancellation] = []
    for part in run.parts:
        if isinstance(part, SlowSession):
            fills += part.outcome.fills
            cancelled += part.outcome.cancelled
            continue
        for fill in part.log.fills[part.fills].tolist():
            if fill[FILL_QUANTITY]:
                fills.append(_fill(run.data, fill))
            if fill[LEFT]:
                cancelled.append(_cancellation(run.data, fill))
    return Executions(tuple(fills), tuple(cancelled))


def trades_of(run: Run) -> TradeArrays:
    """Collect the fills as fixed-point integers, assets numbered as in the universe, without creating objects."""
    numbers = dict(run.data.universe.positions)
    parts = [
        trade_arrays(part.outcome.fills, numbers) if isinstance(part, SlowSession) else _logged(part)
        for part in run.parts
    ]
    return TradeArrays(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


def _logged(part: Segment) -> TradeArrays:
    fills = part.log.fills[part.fills]
    fills = fills[fills[:, FILL_QUANTITY] > 0]
    sign = np.where(fills[:, FILL_BUYING] != 0, 1, -1)
    asset, price, reference, commission = fills[:, [FILL_ASSET, PRICE, REFERENCE_PRICE, COMMISSION]].T
    return TradeArrays(asset, fills[:, FILL_QUANTITY] * sign, price, reference, commission)


def results_of(run: Run) -> Results:
    """Collect orders with their reasons, and events."""
    orders: list[Order] = []
    history: list[SessionEvents] = []
    for part in run.parts:
        if isinstance(part, SlowSession):
            for day in part.outcome.risk_only:
                orders += day.orders
                history.append(SessionEvents(day.day, day.events, day.risk))
            orders += part.outcome.end_of_day.working
            history.append(_of_outcome(part.outcome))
        else:
            replayed = _replayed(run.data, part)
            # Both in order of their sessions, and a session's orders in the order they were sent.
            by_session = [(order.session, order) for order in _orders(run.data, part, replayed)]
            by_session += [(o.session, order) for o in replayed.values() for order in o.end_of_day.working]
            orders += [order for _, order in sorted(by_session, key=lambda entry: entry[0])]
            history += _history(run.data, part, replayed)
    return Results(tuple(orders), with_resolutions(history))


def denied_of(run: Run) -> tuple[tuple[Order, str], ...]:
    """Collect what the pre-trade checks refused; a session that they might refuse something in is no segment's."""
    denied: list[tuple[Order, str]] = []
    for part in run.parts:
        if isinstance(part, SlowSession):
            for day in part.outcome.risk_only:
                denied += day.denied
            denied += part.outcome.denied
    return tuple(denied)


def _of_outcome(outcome: SessionOutcome) -> SessionEvents:
    return SessionEvents(outcome.session, outcome.decision.assessment.events, outcome.end_of_day.risk)


def _history(data: SessionInput, part: Segment, replayed: Mapping[int, SessionOutcome]) -> Iterator[SessionEvents]:
    """Events of every session of a segment: replayed, or of its correlations alone, which needs no replay."""
    symbols, config = data.universe.symbols, data.config.risk.correlation
    pairs = part.pairs(part.first - part.inputs.first, part.stop - part.inputs.first + 1)
    changed = (pairs[1:] != pairs[:-1]).any(axis=1).tolist()
    for number, row in enumerate(range(part.first, part.stop)):
        if row in replayed:
            yield _of_outcome(replayed[row])
            continue
        day, step = _day(data, row), row - part.inputs.first
        if not changed[number]:
            yield SessionEvents(day, (), None)
            continue
        before, after = pairs[number], pairs[number + 1]
        level, correlations = int(part.log.levels[step]), part.correlations(data, step)
        events = pair_events(before, after, correlations, symbols, level, day, config)
        yield SessionEvents(day, events, None, named_pairs(after, symbols))


def count_orders(run: Run) -> int:
    """Count the accepted orders."""
    return sum(
        _count(part.outcome) if isinstance(part, SlowSession) else part.orders.stop - part.orders.start
        for part in run.parts
    )


def _count(outcome: SessionOutcome) -> int:
    return len(outcome.end_of_day.working) + sum(len(day.orders) for day in outcome.risk_only)


def _day(data: SessionInput, row: int) -> date:
    day: date = data.panel.sessions[row].item()
    return day


def _identity(data: SessionInput, row: int, asset: int, buying: int) -> str:
    side = Side.BUY if buying else Side.SELL
    return client_order_id(data.book, _day(data, row), data.universe.symbols[asset], side)


def _fill(data: SessionInput, fill: list[int]) -> Fill:
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


def _cancellation(data: SessionInput, fill: list[int]) -> Cancellation:
    row, asset, buying = fill[ROW], fill[FILL_ASSET], fill[FILL_BUYING]
    instrument = data.universe.instruments[asset]
    symbol, day = instrument.symbol, next_opening(instrument, _day(data, row - 1), data.calendar).date()
    opening = float(data.panel.fill_open[row, asset])
    if fill[REFERENCE_PRICE] > 0:
        bought, ordered = from_micros(fill[FILL_QUANTITY]), from_micros(fill[FILL_QUANTITY] + fill[LEFT])
        reason = without_cash(symbol, day, fill[CASH_THERE], bought, ordered, fill[PRICE])
    elif np.isfinite(opening) and opening > 0:
        low, high = float(data.panel.fill_low[row, asset]), float(data.panel.fill_high[row, asset])
        reason = outside_range(symbol, day, opening, low, high)
    else:
        reason = without_opening(symbol, day)
    identity, side = _identity(data, row - 1, asset, buying), Side.BUY if buying else Side.SELL
    return Cancellation(identity, symbol, side, from_micros(fill[LEFT]), _day(data, row), reason)


def _orders(data: SessionInput, part: Segment, replayed: Mapping[int, SessionOutcome]) -> Iterator[Order]:
    """Orders of a segment; those of replayed sessions carry their rationale already."""
    sleeves = running_sleeves(data.config.strategy)
    log, inputs = part.log, part.inputs
    logged = log.orders[part.orders, :ORDER_MARK].tolist()
    for (row, *order), targets in zip(logged, log.order_targets[part.orders], strict=True):
        if row in replayed:
            continue
        asset, step = order[ASSET], row - inputs.first
        yield rebalancing_order(
            data.universe.instruments[asset],
            Side.BUY if order[BUYING] else Side.SELL,
            order[QUANTITY],
            price_micros(float(data.panel.close[row, asset])),
            _day(data, row),
            data.book,
            int(inputs.codes[step, asset]),
            float(inputs.confidence[step, asset]),
            float(log.held[step, asset]),
            float(log.approved[step, asset]),
            [(s.name, s.budget * float(target)) for s, target in zip(sleeves, targets, strict=True)],
        )


def _replayed(data: SessionInput, part: Segment) -> dict[int, SessionOutcome]:
    """Trade the sessions with events again on the slow path; they must come to the same net asset value."""
    convert, replayed = Conversion.of(data), {}
    for row in (np.flatnonzero(part.log.has_events[part.steps]) + part.first).tolist():
        step = row - part.inputs.first
        before = convert.read(book_at(part.kept, part.log.book[step]), row - 1, part.pairs(step, step + 1)[0])
        outcome = trade_session(data, row, before)
        if to_cents(outcome.end_of_day.portfolio.nav) != part.log.nav[step]:
            raise RuntimeError(f"session {outcome.session} came to another value when it was replayed")
        replayed[row] = outcome
        if data.views and not len(part.inputs.correlations):
            # All correlations are too large to be cached, so this session's are dropped, too.
            data.views.forget(row)
    return replayed
