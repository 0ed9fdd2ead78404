"""The tasks of the trade_daily DAG, in order, from settling the session before to the report.

Each loads what earlier tasks stored, calls one pure stage and saves what it returns. Running a task again with the
same inputs changes nothing; a decision once stored stands.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal

import numpy as np

from trading_lib.accounting.reconcile import unexplained_differences
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
from trading_lib.domain.book.orders import OPEN_STATUSES, OrderStatus
from trading_lib.domain.book.portfolio import Portfolio
from trading_lib.domain.decision.record import DecisionRecord
from trading_lib.domain.decision.risk import RiskState
from trading_lib.domain.errors import TradingError
from trading_lib.domain.market.funding import Settlement
from trading_lib.domain.market.prices import VOLATILITY_INDEX
from trading_lib.risk.levels.approvals import with_answer
from trading_lib.session.open_orders import at_worst, still_open_reason, without_purchases
from trading_lib.strategies.signals import describe_signals
from trading_lib.workflows.alerts.sessions import send_summary, tell_risk_level
from trading_lib.workflows.books import approvals, old_prices, proceeds
from trading_lib.workflows.books.flows import flows_until
from trading_lib.workflows.books.trade_history import store_closed_trades
from trading_lib.workflows.data import fetch as fetching
from trading_lib.workflows.data.needed_history import LOOKBACK_DAYS
from trading_lib.workflows.data.sources import market_store
from trading_lib.workflows.orders.guarding.shadow import shadow_name
from trading_lib.workflows.orders.reconciling import reconcile_session
from trading_lib.workflows.setup.code_version import code_version
from trading_lib.workflows.setup.settings import Settings, load_settings
from trading_lib.workflows.stages.plans import SessionPlan
from trading_lib.workflows.stages.results import (
    Assessed,
    Closed,
    FillsReported,
    Ordered,
    Over,
    Placed,
    Reconciled,
    Reported,
    Settled,
    Signalled,
    Targeted,
)
from trading_lib.workflows.trade.book_run import BookRun
from trading_lib.workflows.trade.book_turns import BookTurn, closed_session, take_turn
from trading_lib.workflows.trade.broker_access import earlier_open_orders
from trading_lib.workflows.trade.placing import place_orders
from trading_lib.workflows.trade.session_market import revised_factors
from trading_lib.workflows.trade.settlement import settle_book
from trading_lib.workflows.trade.stage_log import logged
from trading_lib.workflows.trade.stage_records import (
    assessment_record,
    signals_from,
    signals_record,
    sleeves_from,
    targets_from,
    targets_record,
)

LOG = logging.getLogger(__name__)


def is_decidable(plan: SessionPlan, settings: Settings | None = None) -> bool:
    """Whether the session's decision time has come."""
    active = settings or load_settings()
    return active.calendar.decision_time(plan.session) <= active.clock()


@logged("settle")
def settle(plan: SessionPlan, run: BookRun | None = None) -> Settled | Over:
    """Bring the book from its last session to this one: corporate actions, fills at the opening, marking."""
    if run is None:
        fetch_late_volatility_index(plan)
    return take_turn(run or BookRun.open(plan), _settle, _is_settled)


def _settle(turn: BookTurn) -> Settled:
    active = turn.run
    name, session = active.book.name, active.session
    portfolio = active.state.portfolio(name, session)
    if portfolio is None:
        last = active.state.latest_portfolio(name)
        portfolio = _opened(active) if last is None else settle_book(turn, last)
        turn.lock.ensure_held()
        active.state.save_portfolio(name, portfolio, active.settings.configuration.accounts.names[0])
    store_closed_trades(active)
    fills = active.orders.fills(name, session)
    result: Settled = {"session": session.isoformat(), "nav": str(portfolio.nav), "fills": len(fills)}
    if beside := active.orders.fills(shadow_name(name), session):
        result["shadow_fills"] = len(beside)
    return {**result, **old_prices.stage_result(active, portfolio)}


def _opened(run: BookRun) -> Portfolio:
    cash = run.book.initial_cash
    return Portfolio.opened(run.session, cash, run.settings.configuration.accounts.opening_cash(cash))


def _is_settled(run: BookRun) -> bool:
    return run.state.portfolio(run.book.name, run.session) is not None


def fetch_late_volatility_index(plan: SessionPlan) -> None:
    """Ingest ^VIX again when its value was not out as the market data came in (docs/specification.md#availability)."""
    settings = load_settings()
    session = plan.session
    store = market_store(settings)
    as_of = settings.calendar.decision_time(session)
    if not len(store.read_bars(plan.source_name, as_of, [VOLATILITY_INDEX], session, session)):
        first = session - timedelta(days=LOOKBACK_DAYS)
        fetching.ingest_range(plan, ["volatility_index"], first, session, settings)


@logged("signals")
def signals(plan: SessionPlan, run: BookRun | None = None) -> Signalled | Over:
    """Read the regime and generate the signals."""
    return take_turn(run or BookRun.open(plan), _signals, _has_stage("signals"))


def _signals(turn: BookTurn) -> Signalled:
    active = turn.run
    active.portfolio()
    _tell_of_revised_factors(active)
    regime, panel = signal_stage(active.view, active.decision_config)
    active.state.save_stage(active.book.name, active.session, "signals", signals_record(regime, panel))
    return {"regime": regime.regime.value, "complete": int(panel.complete.sum()), "buys": int((panel.codes > 0).sum())}


def _tell_of_revised_factors(run: BookRun) -> None:
    """Say where prices have changed since the session's factors were stored; the decision rests on those of now."""
    source = run.book.data_source
    stored = market_store(run.settings, run.engine).factors(source, run.session)
    if changed := revised_factors(stored, run.market, run.session):
        LOG.warning(
            "prices of %s have been revised since the factors of session %s were stored; the decision uses the newer",
            ", ".join(changed),
            run.session,
        )


@logged("targets")
def targets(plan: SessionPlan, run: BookRun | None = None) -> Targeted | Over:
    """Blend the sleeves, apply the constraints, and log every signal with its reason."""
    return take_turn(run or BookRun.open(plan), _targets, _has_stage("targets"))


def _targets(turn: BookTurn) -> Targeted:
    active = turn.run
    view, config, portfolio = active.view, active.decision_config, active.portfolio()
    regime, panel = signals_from(active.stage("signals"))
    held = held_weights(view.universe, portfolio)
    hedged = hedged_weights(portfolio)
    weights = target_stage(view, regime, panel, held, _sleeve_history(active), config, hedged)
    reasons = describe_signals(view, regime, panel, weights.weights, config.strategy.signals)
    actual = {symbol: float(held[i]) for i, symbol in enumerate(view.universe.symbols)}
    active.state.save_stage(active.book.name, active.session, "targets", targets_record(weights, view.universe.symbols))
    active.state.save_signals(active.book.name, reasons, actual)
    result: Targeted = {"invested": round(float(weights.weights.sum()), 6), "clipped": sorted(weights.clips)}
    faults = {name: fault for name, record in weights.sleeves.items() if (fault := record.target.fault)}
    for sleeve, fault in faults.items():
        LOG.warning("sleeve %s failed and kept its previous target: %s", sleeve, fault)
    return {**result, "sleeve_faults": faults} if faults else result


def _sleeve_history(run: BookRun) -> SleeveHistory:
    """Return what the sleeves decided last in this book, and what its stops have closed since."""
    stored = run.state.latest_stage(run.book.name, "targets", run.session)
    if stored is None:
        return FIRST_SESSION
    session, record = stored
    state = run.state.latest_risk_state(run.book.name, run.session)
    elapsed = run.market.row(run.session) - run.market.row(session)
    return SleeveHistory(sleeves_from(record, run.view.universe.symbols), elapsed, state.cooling_off if state else ())


@logged("risk")
def risk(plan: SessionPlan, run: BookRun | None = None) -> Assessed | Over:
    """Apply risk control and store the next risk state with its events."""
    return take_turn(run or BookRun.open(plan), _risk, _has_stage("risk"))


def _risk(turn: BookTurn) -> Assessed:
    active = turn.run
    name, portfolio, view = active.book.name, active.portfolio(), active.view
    regime, panel = signals_from(active.stage("signals"))
    weights = targets_from(active.stage("targets"))
    held = held_weights(view.universe, portfolio)
    before = _risk_state_before(active, portfolio)
    state, answered = with_answer(before, approvals.answer_in_force(active, before), active.session)
    assessment = risk_stage(view, regime, panel, weights, held, portfolio, state, active.decision_config)
    events = (*answered, *assessment.events)
    # Told before it is stored: a run that dies in between tells it again, which counts once, and never not at all.
    reasons = [event.reason for event in events]
    tell_risk_level(active, before.effective_level, assessment.effective_level, reasons, active.session)
    active.state.save_stage(name, active.session, "risk", assessment_record(assessment))
    active.state.save_risk(name, assessment.next_state, events)
    for event in events:
        LOG.warning("risk event %s: %s", event.kind, event.reason)
    result: Assessed = {
        "level": assessment.effective_level,
        "drawdown": assessment.drawdown,
        "events": len(events),
    }
    return {**result, "rule_faults": list(assessment.rule_faults)} if assessment.rule_faults else result


def _risk_state_before(run: BookRun, portfolio: Portfolio) -> RiskState:
    previous = run.state.latest_risk_state(run.book.name, run.session)
    if previous is None:
        return RiskState.opened(run.session, float(portfolio.nav))
    # The state may be of a day without a session, and stands beside the portfolio of the session before it.
    then = run.state.latest_portfolio(run.book.name, run.session)
    return previous.after_flows(portfolio.capital_factor / then.capital_factor) if then else previous


@logged("orders")
def orders(plan: SessionPlan, run: BookRun | None = None) -> Ordered | Over:
    """Generate the orders, store their intents and the decision."""
    return take_turn(run or BookRun.open(plan), _orders, _is_decided)


def _orders(turn: BookTurn) -> Ordered:
    active = turn.run
    name, session, view, portfolio = active.book.name, active.session, active.view, active.portfolio()
    signal_record = active.stage("signals")
    _, panel = signals_from(signal_record)
    assessment = active.assessment()
    targets, still_open = targets_from(active.stage("targets")), earlier_open_orders(active)
    sure, allowed = at_worst(portfolio, still_open), without_purchases(assessment, still_open)
    held = held_weights(view.universe, sure)
    batch = order_stage(view, panel, targets, allowed, held, sure, name, active.decision_config)
    if still_open:
        LOG.warning("%s", still_open_reason(still_open))
    turn.lock.ensure_held()
    stored = active.orders.store_intents(batch.orders, active.settings.clock())
    record = {"client_order_ids": [order.client_order_id for order in batch.orders], "skipped": batch.skipped}
    active.state.save_stage(name, session, "orders", record | old_prices.stage_record(active, portfolio))
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
    for symbol, reason in batch.skipped.items():
        LOG.debug("no order for %s: %s", symbol, reason)
    return {"orders": len(batch.orders), "new": len(stored), "skipped": batch.skipped}


@logged("place")
def place(plan: SessionPlan, run: BookRun | None = None) -> Placed | Over:
    """Send what is intended to the brokers of the book's accounts, each order once.

    An order found in status UNKNOWN was sent by a run that died before the answer: its broker is asked by id. While an
    order of an earlier session is still open, nothing is bought. What guards keep back ends HELD, and what a broker
    does not take yet stays as it is.
    """
    return take_turn(run or BookRun.open(plan), place_orders, is_placed)


def _has_stage(name: str) -> Callable[[BookRun], bool]:
    def is_stored(run: BookRun) -> bool:
        return run.state.stage(run.book.name, run.session, name) is not None

    return is_stored


def _is_decided(run: BookRun) -> bool:
    return run.state.decision(run.book.name, run.session) is not None


def is_placed(run: BookRun) -> bool:
    """Whether a session was decided and its orders sent."""
    name, session = run.book.name, run.session
    unknown = run.orders.orders(name, session=session, statuses=[OrderStatus.UNKNOWN])
    return _is_decided(run) and not unknown and not run.orders.never_sent(name, session)


@logged("report_fills")
def report_fills(plan: SessionPlan, run: BookRun | None = None) -> FillsReported | Closed:
    """Report the session's fills and open orders; orders placed today fill at the next opening."""
    active = run or BookRun.open(plan)
    if closed := closed_session(active):
        return closed
    name, session = active.book.name, active.session
    booked = active.orders.fills(name, session)
    working = active.orders.orders(name, statuses=OPEN_STATUSES)
    next_open = active.settings.calendar.open(active.settings.calendar.next(session))
    return {"filled": len(booked), "working": len(working), "next_opening": next_open.isoformat()}


@logged("reconcile")
def reconcile(plan: SessionPlan, run: BookRun | None = None) -> Reconciled | Closed:
    """Rebuild positions and cash from the fills and compare them with the stored portfolio, and with the brokers'.

    A break with a broker fails nothing: it is told, and nothing is bought until it is settled.
    """
    active = run or BookRun.open(plan)
    if closed := closed_session(active):
        return closed
    portfolio, name = active.portfolio(), active.book.name
    executed = [fill for fill in active.orders.fills(name) if fill.session <= active.session]
    differences = unexplained_differences(
        portfolio,
        active.book.initial_cash,
        executed,
        _splits(active),
        _settlements(active),
        proceeds.recorded_until(active),
        flows_until(active),
    )
    if differences:
        raise TradingError(
            f"book {name} does not reconcile at {active.session}: {'; '.join(differences)}",
            "compare tables fills and portfolio_state before trading on",
        )
    result: Reconciled = {"positions": len(portfolio.positions), "fills": len(executed), "differences": 0}
    compared = reconcile_session(active)
    if compared is not None:
        result["breaks"], result["halted"] = len(compared["breaks"]), compared["halted"]
    return result


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


@logged("report")
def report(plan: SessionPlan, run: BookRun | None = None) -> Reported | Closed:
    """Report the session in a few figures."""
    active = run or BookRun.open(plan)
    if closed := closed_session(active):
        return closed
    portfolio, name = active.portfolio(), active.book.name
    history = active.state.adjusted_nav_history(name)
    peak = max(nav for _, nav in history)
    figures: Reported = {
        "session": active.session.isoformat(),
        "book": name,
        "nav": str(portfolio.nav),
        "positions": len(portfolio.positions),
        "drawdown_from_peak": round(1.0 - portfolio.adjusted_nav / peak, 6),
        "sessions": len(history),
        "deposits": str(portfolio.deposits),
        "withdrawals": str(portfolio.withdrawals),
    }
    send_summary(active)
    return {**figures, **old_prices.stage_result(active, portfolio)}
