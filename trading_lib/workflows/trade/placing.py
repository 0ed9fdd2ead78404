"""Placing the orders of a session: guards, checks, sending, and what is reported of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

from trading_lib.domain.book.orders import Order, OrderPurpose
from trading_lib.execution.broker import ClearedOrder
from trading_lib.orders.pre_trade import PreTradeContext, pre_trade_context
from trading_lib.session.clear import for_broker
from trading_lib.session.open_orders import OpenOrder, at_worst, increases, still_open_reason
from trading_lib.workflows.orders.guarding.guards import Guarded, guard
from trading_lib.workflows.orders.guarding.last_look import LastLook
from trading_lib.workflows.orders.guarding.purses import Purses, open_orders
from trading_lib.workflows.orders.guarding.tripwires import Tripwires
from trading_lib.workflows.orders.reconciling import halt_of
from trading_lib.workflows.stages.results import Placed
from trading_lib.workflows.trade.book_run import BookRun
from trading_lib.workflows.trade.book_turns import BookTurn
from trading_lib.workflows.trade.broker_access import earlier_open_orders
from trading_lib.workflows.trade.sending import Sent, send_orders


def place_orders(turn: BookTurn) -> Placed:
    """Send what the guards let pass, each order after a last look, and say what became of all of them."""
    active = turn.run
    stored = active.orders.orders(active.book.name, session=active.session)
    orders = [(order, status) for order, status in stored if order.purpose is not OrderPurpose.FEE]
    if not orders:
        return {"sent": 0, "denied": 0, "broker": _brokers(active)}
    guarded = guard(turn, orders)
    kept = {order.client_order_id for order, _ in guarded.held}
    still_open = earlier_open_orders(active)
    going = tuple(order for order, _ in orders if order.client_order_id not in kept)
    opened = open_orders(active)
    purses = Purses(active, guarded.brokers, going, opened)
    context = replace(_pre_trade_context(active, going, still_open), open_orders=opened, buying_power=purses.left)
    halt = halt_of(active, active.portfolio())
    tripwires = Tripwires(active, active.session)

    def clear(order: Order, halted: bool) -> ClearedOrder | str:
        if still_open and increases(order):
            return still_open_reason(still_open)
        if reason := halt(order):
            return reason
        return purses.spend(for_broker(order, context, halted))

    look = LastLook(active, lambda order: tripwires.check(order, clear))
    sent = asyncio.run(send_orders(turn, guarded.found, look.check))
    look.tell()
    return _placed(active, guarded, look, sent)


def _placed(active: BookRun, guarded: Guarded, look: LastLook, sent: Sent) -> Placed:
    placed: Placed = {"sent": sent.accepted, "denied": sent.denied, "broker": _brokers(active)}
    if sent.rejected:
        placed["rejected"] = sent.rejected
    if unknown := sent.unknown + len(guarded.unasked):
        placed["unknown"] = unknown
    if held := [*guarded.held, *look.held]:
        placed["held"] = len(held)
        placed["held_because"] = list(dict.fromkeys(reason for _, reason in held))
    if guarded.waiting:
        placed["waiting"] = len(guarded.waiting)
    if guarded.from_when:
        placed["sent_from"] = guarded.from_when.isoformat()
    if guarded.brokers.away:
        placed["away"] = guarded.brokers.away
    return placed


def _brokers(run: BookRun) -> str:
    """Name the brokers of the book's accounts."""
    return ", ".join(dict.fromkeys(account.broker for account in run.settings.configuration.accounts.accounts))


def _pre_trade_context(run: BookRun, orders: tuple[Order, ...], still_open: Sequence[OpenOrder]) -> PreTradeContext:
    config, sure = run.decision_config.pre_trade, at_worst(run.portfolio(), still_open)
    return pre_trade_context(run.view, sure, run.assessment(), config, orders=orders)
