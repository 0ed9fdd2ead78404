"""The way of orders: the gate alone, 500 orders through gate, outbox and the broker simulator, and a book's recovery.

The orders go through Alpaca's own client, over loopback, into a simulator whose ledger is on disk; the database writes
through to its disk, too. The recovery begins as a new process does: with nothing loaded.
"""

from __future__ import annotations

import asyncio
import logging
import os
import statistics
import subprocess
import sys
import time
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.campaigns.order_kills.desk import Desk
    from trading_lib.domain.book.orders import Order

GATED, ORDERS, RUNS = 20_000, 500, 3


def run() -> dict[str, Any]:
    from tests.campaigns.order_kills.campaign import desks

    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with desks(on_disk=True) as ready:
            sent = [_five_hundred(ready["alpaca"], number) for number in range(RUNS)]
            recovered = [_recovery(ready["alpaca"], number) for number in range(RUNS)]
    finally:
        logging.disable(before)
    return {
        "gate_orders_per_second": round(statistics.median(_gate() for _ in range(RUNS))),
        f"{ORDERS}_orders_seconds": round(statistics.median(sent), 2),
        "recovery_after_kill_seconds": round(statistics.median(recovered), 2),
    }


def _gate() -> float:
    """Orders a second through every pre-trade check."""
    from tests.campaigns.bad_orders.perturbations import pairs
    from trading_lib.orders.pre_trade import deny_reason

    inside = [pair.inside for pair in pairs(1, GATED)]
    begun = time.perf_counter()
    for order, context in inside:
        deny_reason(order, context)
    return GATED / (time.perf_counter() - begun)


def _five_hundred(desk: Desk, number: int) -> float:
    """Store, check and send the orders of a session; seconds."""
    from tests.campaigns.order_races.races import Race
    from trading_lib.orders.pre_trade import pre_trade_context
    from trading_lib.session.clear import for_broker
    from trading_lib.workflows.trade.book_turns import book_turn
    from trading_lib.workflows.trade.sending import send_orders

    with Race(desk, "speed", number) as race:
        active = desk.run(race.session, race.book)
        orders = _orders(race.book, active.orders.orders(race.book)[-1][0])
        context = pre_trade_context(
            active.view, active.portfolio(), active.assessment(), active.decision_config.pre_trade, orders=orders
        )
        # A connection to the broker and one to the database are there before the first order.
        begun = time.perf_counter()
        active.orders.store_intents(orders, active.settings.clock())
        with book_turn(active) as turn:
            stored = active.orders.orders(race.book, identities=[order.client_order_id for order in orders])
            sent = asyncio.run(send_orders(turn, stored, lambda order: for_broker(order, context)))
        seconds = time.perf_counter() - begun
        assert sent.accepted == race.requests == ORDERS, sent
        return seconds


def _orders(book: str, like: Order) -> tuple[Order, ...]:
    from trading_lib.domain.book.orders import client_order_id

    legs = [f"{number}" for number in range(ORDERS)]
    one = replace(like, quantity=Decimal(1), weight_change=0.0001, estimated_commission=Decimal("0.1"))
    return tuple(
        replace(one, leg=leg, client_order_id=client_order_id(book, like.session, like.symbol, like.side, 0, leg))
        for leg in legs
    )


def _recovery(desk: Desk, number: int) -> float:
    """Kill a sender between its request and the answer, and recover the book in a new process; seconds."""
    from tests.campaigns.order_kills.processes import Kill, in_process
    from tests.campaigns.order_races.races import Race

    with Race(desk, "recovery", number) as race:
        killed = in_process(desk.market.engine, race.place, desk.is_ours, Kill("submit: answered and not read"))
        assert killed.killed
        url = desk.market.engine.url.render_as_string(hide_password=False)
        environment = os.environ | {
            "TRADING_CONFIG": str(desk.market.settings.configuration.folder),
            "TRADING_DATABASE_URL": url,
        }
        command = [sys.executable, "-m", "trading_lib.cli", "recover", "--book", race.book, "--json"]
        begun = time.perf_counter()
        ran = subprocess.run(command, env=environment, capture_output=True, text=True)
        seconds = time.perf_counter() - begun
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return seconds
