"""The tasks of the trade_daily DAG, in order, from settling the session before to the report.

Each loads what earlier tasks stored, calls one pure stage and saves what it returns. Running a task again with the
same inputs changes nothing; a decision once stored stands.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np

from trading_lib.accounting.reconcile import unexplained_differences
from trading_lib.backtest.trading_session import execute, settle_row
from trading_lib.decision import (
    FIRST_SESSION,
    SleeveHistory,
    hedged_weights,
    held_weights,
    order_stage,
    risk_stage,
    signal_stage,
    target_stage,
)
from trading_lib.domain.errors import SessionError, TradingError
from trading_lib.domain.funding import Settlement
from trading_lib.domain.orders import Fill, Order, OrderEvent, OrderStatus
from trading_lib.domain.portfolio import Portfolio
from trading_lib.domain.prices import VOLATILITY_INDEX
from trading_lib.domain.records import DecisionRecord
from trading_lib.domain.risk import RiskState
from trading_lib.execution.simulated import SIMULATED_BROKER
from trading_lib.orders.pre_trade import PreTradeContext, deny_reason, pre_trade_context
from trading_lib.risk.approvals import with_answer
from trading_lib.strategies.signals import describe_signals
from trading_lib.workflows import approvals, fetching, market_data
from trading_lib.workflows.backtesting import code_version
from trading_lib.workflows.book_run import BookRun
from trading_lib.workflows.settings import Settings, load_settings
from trading_lib.workflows.sources import market_store
from trading_lib.workflows.stage_records import (
    assessment_record,
    signals_from,
    signals_record,
    sleeves_from,
    targets_from,
    targets_record,
)

Plan = dict[str, Any]
Result = dict[str, Any]
OPEN_STATUSES = (OrderStatus.UNKNOWN, OrderStatus.WORKING, OrderStatus.PARTIALLY_FILLED)


def decision_time(plan: Plan, settings: Settings | None = None) -> str:
    """Instant from which the session may be decided, ISO 8601 in UTC."""
    active = settings or load_settings()
    return active.calendar.decision_time(date.fromisoformat(plan["session"])).isoformat()


def settle(plan: Plan, run: BookRun | None = None) -> Result:
    """Bring the book from its last session to this one: corporate actions, fills at the opening, marking."""
    if run is None:
        fetch_late_volatility_index(plan)
    active = run or BookRun.open(plan)
    name, session = active.book.name, active.session
    known = active.state.portfolio(name, session)
    if known is not None:
        return _settled(active, known)
    last = active.state.latest_portfolio(name)
    if last is not None and last.session > session:
        raise SessionError(
            f"book {name} is already at {last.session}; session {session} would go back in time",
            "name another book with --book",
        )
    with active.orders.book_lock(name):
        portfolio = Portfolio.opened(session, active.book.initial_cash) if last is None else _roll(active, last)
        active.state.save_portfolio(name, portfolio)
    return _settled(active, portfolio)


def fetch_late_volatility_index(plan: Plan) -> None:
    """Ingest ^VIX again when the session's value was not out yet as the market data came in (SPEC section 1)."""
    settings = load_settings()
    session = date.fromisoformat(plan["session"])
    store = market_store(settings)
    as_of = settings.calendar.decision_time(session)
    if not len(store.read_bars(plan["source_name"], as_of, [VOLATILITY_INDEX], session, session)):
        first = session - timedelta(days=market_data.LOOKBACK_DAYS)
        fetching.ingest_range(plan, ["volatility_index"], first, session, settings)


def _roll(run: BookRun, portfolio: Portfolio) -> Portfolio:
    """Settle every session after the portfolio's, up to the run's."""
    data = run.input
    working = [order for order, _ in run.orders.orders(run.book.name, statuses=OPEN_STATUSES)]
    traded = [*portfolio.positions, *portfolio.perpetuals, *(order.symbol for order in working)]
    data.universe.require_known(traded, f"book {run.book.name}")
    known_fills = run.orders.fills(run.book.name)
    for row in range(run.market.row(portfolio.session) + 1, run.market.row(run.session) + 1):
        day: date = run.market.panel.sessions[row].item()
        filled, cancelled = execute(data, working, row, day)
        _record_executions(run, filled, cancelled)
        earlier = [fill for fill in known_fills if fill.session == day]
        portfolio = settle_row(data, portfolio, row, day, _in_order([*earlier, *filled]))
        working = []
    return portfolio


def _in_order(fills: list[Fill]) -> list[Fill]:
    """Each fill once, whether it was stored by an interrupted run or has just been made."""
    return list({fill.trade_id: fill for fill in fills}.values())


def _record_executions(run: BookRun, filled: list[Fill], cancelled: list[str]) -> None:
    for fill in filled:
        # The fill is stored before the status, so an interrupted run finds it again.
        run.orders.save_fills([fill], run.book.name)
        run.orders.record(fill.client_order_id, OrderEvent.FILL, fill.filled_at, broker=SIMULATED_BROKER)
    for order_id in cancelled:
        now = run.settings.clock()
        run.orders.record(order_id, OrderEvent.CANCEL, now, detail="no opening price: the day order expired")


def _settled(run: BookRun, portfolio: Portfolio) -> Result:
    fills = run.orders.fills(run.book.name, run.session)
    return {"session": run.session.isoformat(), "nav": str(portfolio.nav), "fills": len(fills)}


def signals(plan: Plan, run: BookRun | None = None) -> Result:
    """Read the regime and generate the signals."""
    active = run or BookRun.open(plan)
    active.portfolio()
    regime, panel = signal_stage(active.view, active.decision_config)
    active.state.save_stage(active.book.name, active.session, "signals", signals_record(regime, panel))
    return {"regime": regime.regime.value, "complete": int(panel.complete.sum()), "buys": int((panel.codes > 0).sum())}


def targets(plan: Plan, run: BookRun | None = None) -> Result:
    """Blend the sleeves, apply the constraints, and log every signal with its reason."""
    active = run or BookRun.open(plan)
    view, config, portfolio = active.view, active.decision_config, active.portfolio()
    regime, panel = signals_from(active.stage("signals"))
    held = held_weights(view.universe, portfolio)
    hedged = hedged_weights(portfolio)
    weights = target_stage(view, regime, panel, held, _sleeve_history(active), config, hedged)
    words = describe_signals(view, regime, panel, weights.weights, config.strategy.signals)
    actual = {symbol: float(held[i]) for i, symbol in enumerate(view.universe.symbols)}
    active.state.save_stage(active.book.name, active.session, "targets", targets_record(weights, view.universe.symbols))
    active.state.save_signals(active.book.name, words, actual)
    result: Result = {"invested": round(float(weights.weights.sum()), 6), "clipped": sorted(weights.clips)}
    faults = {name: fault for name, record in weights.sleeves.items() if (fault := record.target.fault)}
    return result | {"sleeve_faults": faults} if faults else result


def _sleeve_history(run: BookRun) -> SleeveHistory:
    """Return what the sleeves decided last in this book, and what its stops have closed since."""
    known = run.state.latest_stage(run.book.name, "targets", run.session)
    if known is None:
        return FIRST_SESSION
    session, record = known
    state = run.state.latest_risk_state(run.book.name, run.session)
    elapsed = run.market.row(run.session) - run.market.row(session)
    return SleeveHistory(sleeves_from(record, run.view.universe.symbols), elapsed, state.cooling_off if state else ())


def risk(plan: Plan, run: BookRun | None = None) -> Result:
    """Apply risk control and store the next risk state with its events."""
    active = run or BookRun.open(plan)
    name, portfolio, view = active.book.name, active.portfolio(), active.view
    regime, panel = signals_from(active.stage("signals"))
    weights = targets_from(active.stage("targets"))
    held = held_weights(view.universe, portfolio)
    before = _risk_state_before(active, portfolio)
    state, answered = with_answer(before, approvals.answer_in_force(active, before), active.session)
    assessment = risk_stage(view, regime, panel, weights, held, portfolio, state, active.decision_config)
    events = (*answered, *assessment.events)
    active.state.save_stage(name, active.session, "risk", assessment_record(assessment))
    active.state.save_risk(name, assessment.next_state, events)
    return {"level": assessment.effective_level, "drawdown": assessment.drawdown, "events": len(events)}


def _risk_state_before(run: BookRun, portfolio: Portfolio) -> RiskState:
    previous = run.state.latest_risk_state(run.book.name, run.session)
    return previous or RiskState.opened(run.session, float(portfolio.nav))


def orders(plan: Plan, run: BookRun | None = None) -> Result:
    """Generate the orders, store their intents, deny those the pre-trade checks refuse, store the decision."""
    active = run or BookRun.open(plan)
    name, session, view, portfolio = active.book.name, active.session, active.view, active.portfolio()
    signal_record = active.stage("signals")
    _, panel = signals_from(signal_record)
    assessment = active.assessment()
    held = held_weights(view.universe, portfolio)
    wanted = targets_from(active.stage("targets"))
    batch = order_stage(view, panel, wanted, assessment, held, portfolio, name, active.decision_config)
    stored = active.orders.store_intents(batch.orders, active.settings.clock())
    record = {"client_order_ids": [order.client_order_id for order in batch.orders], "skipped": batch.skipped}
    active.state.save_stage(name, session, "orders", record)
    stages = {stage: active.stage(stage) for stage in ("signals", "targets", "risk", "orders")}
    asked = active.state.stage(name, session, approvals.STAGE)
    if asked is not None:
        stages[approvals.STAGE] = asked
    active.state.save_decision(
        DecisionRecord(
            book=name,
            session=session,
            decided_at=active.settings.calendar.decision_time(session),
            regime=signal_record["regime"],
            risk_level=assessment.effective_level,
            config_hash=active.settings.configuration.config_hash,
            code_version=code_version(),
            payload={"symbols": list(view.universe.symbols), **stages},
        )
    )
    return {"orders": len(batch.orders), "new": len(stored), "skipped": batch.skipped}


def place(plan: Plan, run: BookRun | None = None) -> Result:
    """Send what is intended, each order once, under the book's lock.

    The paper broker accepts an order for the next opening. An order found in status UNKNOWN was sent by a run that
    died before the answer: the paper broker is asked by id, and knows it.
    """
    active = run or BookRun.open(plan)
    name, session = active.book.name, active.session
    denied = sent = 0
    with active.orders.book_lock(name):
        found = active.orders.orders(name, session=session)
        context = _pre_trade_context(active, tuple(order for order, _ in found)) if found else None
        for order, status in found:
            if context and status is OrderStatus.INTENDED:
                # The switch is read for every order: it may be thrown while earlier ones are on their way.
                reason = deny_reason(order, replace(context, kill_switch=active.kill_switch.is_on()))
                if reason:
                    active.orders.record(order.client_order_id, OrderEvent.DENY, active.settings.clock(), reason)
                    denied += 1
                    continue
                active.orders.record(
                    order.client_order_id, OrderEvent.SUBMIT, active.settings.clock(), broker=SIMULATED_BROKER
                )
                status = OrderStatus.UNKNOWN
            if status is OrderStatus.UNKNOWN:
                active.orders.record(
                    order.client_order_id,
                    OrderEvent.ACCEPT,
                    active.settings.clock(),
                    broker=SIMULATED_BROKER,
                    broker_order_id=order.client_order_id,
                )
                sent += 1
    return {"sent": sent, "denied": denied, "broker": SIMULATED_BROKER}


def _pre_trade_context(run: BookRun, orders: tuple[Order, ...]) -> PreTradeContext:
    config = run.decision_config.pre_trade
    return pre_trade_context(run.view, run.portfolio(), run.assessment(), config, orders=orders)


def fills(plan: Plan, run: BookRun | None = None) -> Result:
    """Report the session's executions and what still works; orders placed today fill at the next opening."""
    active = run or BookRun.open(plan)
    name, session = active.book.name, active.session
    booked = active.orders.fills(name, session)
    working = active.orders.orders(name, statuses=OPEN_STATUSES)
    next_open = active.settings.calendar.open(active.settings.calendar.next(session))
    return {"filled": len(booked), "working": len(working), "next_opening": next_open.isoformat()}


def reconcile(plan: Plan, run: BookRun | None = None) -> Result:
    """Rebuild positions and cash from the fills and compare them with the stored portfolio."""
    active = run or BookRun.open(plan)
    portfolio, name = active.portfolio(), active.book.name
    executed = [fill for fill in active.orders.fills(name) if fill.session <= active.session]
    differences = unexplained_differences(
        portfolio, active.book.initial_cash, executed, _splits(active), _settlements(active)
    )
    if differences:
        raise TradingError(
            f"book {name} does not reconcile at {active.session}: {'; '.join(differences)}",
            "compare tables fills and portfolio_state before trading on",
        )
    return {"positions": len(portfolio.positions), "fills": len(executed), "differences": 0}


def _settlements(run: BookRun) -> list[Settlement]:
    """List the funding of every venue since the book was opened."""
    if run.market.funding is None:
        return []
    first, last = run.market.row(run.book.opened_session) + 1, run.market.row(run.session) + 1
    return [settlement for row in run.market.funding.settlements[first:last] for settlement in row]


def _splits(run: BookRun) -> list[tuple[date, str, Decimal]]:
    """List the splits since the book was opened, as (session, symbol, new shares per old share)."""
    panel = run.market.panel
    first, last = run.market.row(run.book.opened_session) + 1, run.market.row(run.session) + 1
    rows, assets = np.nonzero(panel.split[first:last] != 1.0)
    return [
        (
            panel.sessions[first + row].item(),
            panel.symbols[asset],
            Decimal(repr(float(panel.split[first + row, asset]))),
        )
        for row, asset in zip(rows, assets, strict=True)
    ]


def report(plan: Plan, run: BookRun | None = None) -> Result:
    """Say in a few figures what the session came to."""
    active = run or BookRun.open(plan)
    portfolio, name = active.portfolio(), active.book.name
    sessions_and_nav = active.state.nav_history(name)
    peak = max(float(nav) for _, nav in sessions_and_nav)
    return {
        "session": active.session.isoformat(),
        "book": name,
        "nav": str(portfolio.nav),
        "positions": len(portfolio.positions),
        "drawdown_from_peak": round(1.0 - float(portfolio.nav) / peak, 6),
        "sessions": len(sessions_and_nav),
    }


TRADE_TASKS = (settle, signals, targets, risk, orders, place, fills, reconcile, report)
