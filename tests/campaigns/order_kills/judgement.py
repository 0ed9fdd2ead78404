"""What became of a trial: the broker's ledger, read by its own judge, beside what the book has stored."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from tests.campaigns.order_kills.desk import ALPACA, NUMBERS, PAIR, Desk
from trading_lib.adapters.broker_simulator.ledger.judge import Judge
from trading_lib.adapters.stores.books.order_store import OrderStore
from trading_lib.adapters.stores.books.state_store import StateStore
from trading_lib.domain.book.orders import TERMINAL_STATUSES, Fill, OrderStatus

Amounts = dict[str, Decimal]
# What two prices may differ by that are the same: money is stored in ten-thousandths.
PRICE_GRAIN = Decimal("0.0001")
# The book counts units in millionths, and what a broker kept of a fill as its fee is a fill of its own here.
UNIT_GRAIN, FEE = Decimal("0.000001"), "-fee"


@dataclass
class Verdict:
    """Findings of one trial, one line each."""

    duplicate_orders: list[str] = field(default_factory=list)
    lost_fills: list[str] = field(default_factory=list)
    phantom_positions: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    orders: int = 0
    fills: int = 0

    @property
    def findings(self) -> list[str]:
        """All of them."""
        return [*self.duplicate_orders, *self.lost_fills, *self.phantom_positions, *self.stuck]


def judge(desk: Desk, ledger: Judge, book: str, session: date, verdict: Verdict) -> None:
    """Compare what the broker has booked with what the book holds after ``session``; findings go to ``verdict``."""
    account = _account(ledger, NUMBERS[desk.client])
    orders = OrderStore(desk.market.engine)
    intended = {order.client_order_id: (order, status) for order, status in orders.orders(book)}
    booked = ledger.orders(account)
    verdict.duplicate_orders += [f"two orders of one id: {found}" for found in ledger.duplicates(account)]
    verdict.duplicate_orders += [f"twins: {found}" for found in ledger.twins(account)]
    verdict.duplicate_orders += [
        f"never intended: {order['client_order_id']}" for order in booked if order["client_order_id"] not in intended
    ]
    fills = [fill for fill in orders.fills(book) if fill.broker == desk.client]
    _compare_fills(desk.client, ledger.executions(account), fills, verdict)
    _compare_positions(desk, ledger, account, book, session, verdict)
    verdict.stuck += [
        f"{identity} is {status}" for identity, (_, status) in intended.items() if status not in TERMINAL_STATUSES
    ]
    verdict.orders, verdict.fills = len(booked), len(ledger.executions(account))


def filled_without_fills(desk: Desk, book: str) -> list[str]:
    """Return what is stored as filled and whose fills are not: they are stored before the status."""
    store = OrderStore(desk.market.engine)
    filled = [order for order, _ in store.orders(book, statuses=[OrderStatus.FILLED])]
    return [
        f"{order.client_order_id} is FILLED, and its fills are not stored"
        for order in filled
        if store.filled_quantity(order.client_order_id) < order.quantity
    ]


def _account(ledger: Judge, number: str) -> str:
    return next(
        str(event["id"]) for event in ledger._events if event["kind"] == "account" and event["number"] == number
    )


def _compare_fills(client: str, executions: list[dict[str, Any]], fills: list[Fill], verdict: Verdict) -> None:
    """Each execution at the broker is one fill here, and each fill here is an execution there."""
    mark = "::" if client == ALPACA else "-"
    here: dict[str, list[Fill]] = defaultdict(list)
    charged = {execution["id"] for execution in executions if execution["fee_asset"] == execution["base"]}
    for fill in fills:
        if fill.trade_id.endswith(FEE) and fill.trade_id.removesuffix(FEE).rpartition(mark)[2] in charged:
            continue
        here[fill.trade_id.rpartition(mark)[2]].append(fill)
    for execution in executions:
        found = here.pop(execution["id"], [])
        same = [fill for fill in found if _is_same(fill, execution)]
        if len(same) != 1:
            verdict.lost_fills.append(
                f"execution {execution['id']} of {execution['symbol']} is booked {len(same)} times"
            )
        verdict.phantom_positions += [f"fill {fill.trade_id} is not as it was" for fill in found if fill not in same]
    verdict.phantom_positions += [f"fill {fill.trade_id} is nowhere" for found in here.values() for fill in found]


def _is_same(fill: Fill, execution: dict[str, Any]) -> bool:
    return (
        PAIR.get(fill.symbol, fill.symbol) == execution["symbol"]
        and str(fill.side).lower() == execution["side"]
        and fill.quantity == execution["quantity"]
        and abs(fill.price - execution["price"]) < PRICE_GRAIN
    )


def _compare_positions(desk: Desk, ledger: Judge, account: str, book: str, session: date, verdict: Verdict) -> None:
    portfolio = StateStore(desk.market.engine).portfolio(book, session)
    if portfolio is None:
        verdict.stuck.append(f"session {session} is not settled")
        return
    coins = {symbol: pair.removesuffix("USDT") for symbol, pair in PAIR.items()}
    held = ledger.positions(account)
    for symbol in desk.symbols:
        there = held.get(coins.get(symbol, symbol), Decimal(0))
        position = portfolio.positions.get(symbol)
        here = position.quantity if position else Decimal(0)
        if abs(here - there) > UNIT_GRAIN * len(ledger.executions(account)):
            verdict.phantom_positions.append(f"{symbol}: {here} in the book, {there} at the broker")
