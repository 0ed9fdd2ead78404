"""Days without a session: fetch prices of what trades every day, check its stops, and sell what they demand.

A session's own decision checks all stops; between two sessions Bitcoin goes on trading. Nothing is bought here, and no
target is decided. A day that is missed stays missed: the next session's decision looks at the stops anew.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, NotRequired, TypedDict

from sqlalchemy import Engine

from trading_lib.adapters.stores.books.book_store import BookStore
from trading_lib.domain.book.orders import Order, OrderStatus, Side
from trading_lib.domain.book.portfolio import Portfolio, Position
from trading_lib.domain.decision.risk import RiskState
from trading_lib.domain.errors import ConfigurationError, InputError, OvertakenSessionError, SessionError
from trading_lib.domain.market.instruments import TradingCalendar
from trading_lib.domain.market.sessions import parse_session
from trading_lib.execution.broker import ClearedOrder
from trading_lib.orders.pre_trade import PreTradeContext
from trading_lib.session.clear import for_broker
from trading_lib.session.risk_only import check_day, days_without_session
from trading_lib.workflows.alerts.sessions import tell_stops
from trading_lib.workflows.data import tasks as market_data
from trading_lib.workflows.data.fetch import ingest_range
from trading_lib.workflows.data.market import Market, market_from_store
from trading_lib.workflows.data.needed_history import LOOKBACK_DAYS
from trading_lib.workflows.data.sources import instrument_groups, market_store
from trading_lib.workflows.orders.guarding.guards import guard
from trading_lib.workflows.orders.guarding.last_look import LastLook
from trading_lib.workflows.orders.guarding.tripwires import Tripwires
from trading_lib.workflows.orders.reconciling import halt_of
from trading_lib.workflows.setup.settings import Settings, load_settings
from trading_lib.workflows.stages.plans import SessionPlan, StopCheckPlan
from trading_lib.workflows.stages.results import Ingested
from trading_lib.workflows.trade.book_run import BookRun
from trading_lib.workflows.trade.book_turns import BookTurn, book_turn
from trading_lib.workflows.trade.broker_access import account_of, is_real
from trading_lib.workflows.trade.sending import send_orders
from trading_lib.workflows.trade.settlement import working_orders
from trading_lib.workflows.trade.stage_log import logged
from trading_lib.workflows.trade.tasks import is_placed

LOG = logging.getLogger(__name__)
STAGE = "stop_check"


class Checked(TypedDict):
    """Stops of a day: how many fired, and the orders they led to."""

    day: str
    stops: int
    orders: int


class SoldOut(TypedDict):
    """Orders of a day that were sent, denied, and not answered; held back by a guard; waiting for their broker."""

    day: str
    sent: int
    denied: int
    unknown: int
    held: NotRequired[int]
    waiting: NotRequired[int]
    sent_from: NotRequired[str]


def is_configured(settings: Settings | None = None) -> bool:
    """Whether stops are checked on days without a session at all."""
    return (settings or load_settings()).configuration.decision.risk.stops.days_without_session


@logged("plan")
def plan(
    day: str | None = None,
    source: str | None = None,
    data: str | None = None,
    book: str | None = None,
    settings: Settings | None = None,
) -> StopCheckPlan:
    """Settle what a run is about; defaults as of `market_data.plan`, and the newest day whose moment has come.

    Raises
    ------
    ConfigurationError
        When risk.yaml says that such days are left out.
    SessionError
        When the day is a session, or its moment has not come.
    """
    active = settings or load_settings()
    if not is_configured(active):
        raise ConfigurationError(
            "risk.yaml: stops.days_without_session is false, so nothing is checked between sessions", "set it to true"
        )
    chosen = parse_session(day) if day else active.calendar.latest_stop_check(active.clock())
    moment, now = active.calendar.stop_check_time(chosen), active.clock()
    if moment > now:
        raise SessionError(f"the stops of {chosen} are checked at {moment:%Y-%m-%d %H:%M} UTC", "wait until then")
    before = active.calendar.session_before(chosen)
    session = market_data.plan(before.isoformat(), source, data, book, active)
    return StopCheckPlan(day=chosen, session=replace(session, groups=tuple(_groups(active))))


def _groups(settings: Settings) -> list[str]:
    """Name the groups of what trades every day."""
    universe = settings.configuration.universe
    always = {instrument.symbol for instrument in universe if instrument.calendar is TradingCalendar.ALWAYS}
    return [group for group, members in instrument_groups(settings).items() if always & set(members)]


@logged("ingest")
def ingest(plan: StopCheckPlan, settings: Settings | None = None) -> Ingested:
    """Fetch the newest bars of what trades every day."""
    active = settings or load_settings()
    first = plan.day - timedelta(days=LOOKBACK_DAYS)
    return ingest_range(plan.session, plan.session.groups, first, plan.day, active)


@logged("check")
def check(plan: StopCheckPlan, run: BookRun | None = None) -> Checked:
    """Check the stops, store the risk state they lead to, and the sales as intents."""
    active = run or open_run(plan)
    with _turn(plan, active) as turn:
        stored = active.state.stage(active.book.name, plan.day, STAGE) or _check(plan, turn)
        return {"day": plan.day.isoformat(), "stops": len(stored["events"]), "orders": len(stored["client_order_ids"])}


def _check(plan: StopCheckPlan, turn: BookTurn) -> dict[str, Any]:
    active = turn.run
    name, day, portfolio = active.book.name, plan.day, active.portfolio()
    state = active.state.latest_risk_state(name, day) or RiskState.opened(active.session, float(portfolio.nav))
    data = replace(active.input, config=active.decision_config)
    checked = check_day(data, portfolio, state, _counting(active), day)
    if checked is None:
        return {"client_order_ids": [], "events": []}
    orders = [*checked.orders, *(order for order, _ in checked.denied)]
    turn.lock.ensure_held()
    active.orders.store_intents(orders, active.settings.clock())
    listed = [order.client_order_id for order in orders]
    # The settlement reads in which order they were decided, as of any session's orders.
    active.state.save_stage(name, day, "orders", {"client_order_ids": listed, "skipped": {}})
    active.state.save_risk(name, checked.risk, checked.events)
    for event in checked.events:
        LOG.warning("risk event %s: %s", event.kind, event.reason)
    tell_stops(active, [event.reason for event in checked.events], day)
    record = {"client_order_ids": listed, "events": [event.as_dict() for event in checked.events]}
    active.state.save_stage(name, day, STAGE, record)
    return record


def _counting(run: BookRun) -> list[Order]:
    """Orders that wait, without purchases at a real broker: only its fills say that those are there to sell."""
    waiting = [order for order, _ in working_orders(run)]
    return [order for order in waiting if order.side is Side.SELL or not is_real(account_of(run, order), run.settings)]


@logged("send")
def send(plan: StopCheckPlan, run: BookRun | None = None) -> SoldOut:
    """Send the sales of the day, each once; they trade at the opening of the next UTC day."""
    active = run or open_run(plan)
    with _turn(plan, active) as turn:
        guarded = guard(turn, active.orders.orders(active.book.name, session=plan.day))
        orders = guarded.found
        context = _context(active, [order for order, status in orders if status is OrderStatus.INTENDED])

        tripwires, halt = Tripwires(active, plan.day), halt_of(active, active.portfolio())

        def cleared(order: Order) -> ClearedOrder | str:
            return tripwires.check(order, lambda asked, halted: halt(asked) or for_broker(asked, context, halted))

        look = LastLook(active, cleared)
        sent = asyncio.run(send_orders(turn, orders, look.check))
        look.tell()
    unknown = sent.unknown + len(guarded.unasked)
    sold: SoldOut = {"day": plan.day.isoformat(), "sent": sent.accepted, "denied": sent.denied, "unknown": unknown}
    if held := len(guarded.held) + len(look.held):
        sold["held"] = held
    if guarded.waiting:
        sold["waiting"] = len(guarded.waiting)
    if guarded.from_when:
        sold["sent_from"] = guarded.from_when.isoformat()
    return sold


def _context(run: BookRun, orders: list[Order]) -> PreTradeContext:
    """Sales of the day are checked against what they were decided from: a purchase may have traded meanwhile."""
    portfolio = run.portfolio()
    positions = dict(portfolio.positions)
    for order in _counting(run):
        if order.side is Side.BUY and order.symbol in {sale.symbol for sale in orders}:
            held = positions.get(order.symbol)
            quantity = (held.quantity if held else Decimal(0)) + order.quantity
            positions[order.symbol] = Position(order.symbol, quantity, held.average_cost if held else Decimal(0))
    prices = {order.symbol: float(order.expected_price) for order in orders}
    sure: Portfolio = replace(portfolio, positions=positions)
    config = run.decision_config.pre_trade
    return PreTradeContext(run.settings.configuration.universe, sure, None, prices, config, orders=tuple(orders))


def replay_between(
    plan: SessionPlan, settings: Settings, market: Market, engine: Engine, before: date, session: date
) -> None:
    """Check the days between two consecutive sessions of a book that is replayed, where they are checked at all.

    Parameters
    ----------
    market
        One that reaches beyond; a day looks at nothing that was not known on it.
    """
    if not is_configured(settings):
        return
    run = BookRun.open(replace(plan, session=before), settings, market, engine)
    for day in days_without_session(before, session):
        asked = StopCheckPlan(day=day, session=run.plan)
        if check(asked, run)["orders"]:
            send(asked, run)


def has_book(plan: StopCheckPlan, settings: Settings | None = None) -> bool:
    """Whether the book was ever opened."""
    return BookStore((settings or load_settings()).engine()).find(plan.session.book) is not None


def open_run(plan: StopCheckPlan, settings: Settings | None = None) -> BookRun:
    """Open the book with the market as known when the day is checked.

    Raises
    ------
    InputError
        When there is no such book yet.
    """
    active = settings or load_settings()
    engine, session = active.engine(), plan.session
    if BookStore(engine).find(session.book) is None:
        raise InputError(f"there is no book {session.book!r}", "run a session of it first")
    market = market_from_store(
        market_store(active, engine),
        session.source_name,
        active.configuration.universe,
        active.calendar,
        session.session,
        active.calendar.stop_check_time(plan.day),
    )
    return BookRun.open(session, active, market, engine)


@contextmanager
def _turn(plan: StopCheckPlan, run: BookRun) -> Iterator[BookTurn]:
    """Hold the book, unless it has gone on or the session before the day is not done."""
    with book_turn(run) as turn:
        name, day = run.book.name, plan.day
        if turn.newer is not None and turn.newer > day:
            raise OvertakenSessionError(
                f"the stops of {day} come too late: book {name} has gone on to {turn.newer}",
                "nothing is to be done: the session after it checks the stops itself",
            )
        if not is_placed(run):
            raise InputError(f"session {run.session} of book {name} is not decided and sent yet", "run it first")
        yield turn
