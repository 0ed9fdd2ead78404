"""Many histories with the real clients, one after the other, and what came of them."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from tests.campaigns.order_clients.accounts import ALPACA, CLIENTS, NUMBERS
from tests.campaigns.order_clients.histories import ClientHistory
from trading_lib.domain.book.orders import OrderStatus
from trading_lib.execution.order_path.sending_policy import SendingPolicy

# How an order may be over that never was at the broker.
NEVER_THERE = (OrderStatus.CANCELLED, OrderStatus.REJECTED, OrderStatus.ABSENT)
ENDS = {
    "filled": OrderStatus.FILLED,
    "canceled": OrderStatus.CANCELLED,
    "expired": OrderStatus.EXPIRED,
    "rejected": OrderStatus.REJECTED,
}


@dataclass
class Found:
    """What came of histories; the lines name client and seed."""

    seeds: int = 0
    events: int = 0
    crashes: int = 0
    orders: int = 0
    fills: int = 0
    duplicate_orders: list[str] = field(default_factory=list)
    lost_fills: list[str] = field(default_factory=list)
    phantom_positions: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    digests: list[str] = field(default_factory=list)

    @property
    def findings(self) -> list[str]:
        """All of them."""
        return [*self.duplicate_orders, *self.lost_fills, *self.phantom_positions, *self.stuck]

    def as_dict(self) -> dict[str, Any]:
        """Counts, the first findings, and a digest of all histories."""
        names = ("duplicate_orders", "lost_fills", "phantom_positions", "stuck")
        counts = {name: getattr(self, name) for name in ("seeds", "events", "crashes", "orders", "fills")}
        return {
            **counts,
            **{name: len(getattr(self, name)) for name in names},
            "findings": self.findings[:20],
            "digest": hashlib.sha256("".join(self.digests).encode()).hexdigest(),
        }


def play(
    seeds: Iterable[int],
    clients: Iterable[str] = CLIENTS,
    policy: SendingPolicy | None = None,
    until_found: bool = False,
    progress: Callable[[Found], None] = lambda found: None,
) -> Found:
    """Play every seed at every client's broker, and judge it."""
    found = Found()
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    loop = asyncio.new_event_loop()
    try:
        for seed in seeds:
            found.seeds += 1
            for client in clients:
                add(found, seed, played(seed, client, loop, policy))
            progress(found)
            if until_found and found.findings:
                break
    finally:
        loop.close()
        logging.disable(before)
    return found


def played(
    seed: int, client: str, loop: asyncio.AbstractEventLoop, policy: SendingPolicy | None = None
) -> ClientHistory:
    """Play one history."""
    history = ClientHistory(seed, client, loop, policy or SendingPolicy())
    history.play()
    return history


def add(found: Found, seed: int, history: ClientHistory) -> None:
    """Compare what is stored with what the broker booked, by its own judge."""
    where = f"{history.client}, seed {seed}"
    ledger, rows = history.simulator.judge(), history.store.rows
    number = NUMBERS[history.client]
    account = next(each.id for each in history.simulator.exchange.state.accounts.values() if each.number == number)
    booked, executions = ledger.orders(account), ledger.executions(account)
    found.events, found.crashes = found.events + history.events, found.crashes + history.crashes
    found.orders, found.fills = found.orders + len(booked), found.fills + len(executions)
    found.digests.append(history.digest)
    found.duplicate_orders += [f"{where}: {twice}" for twice in ledger.duplicates(account) + ledger.twins(account)]
    found.lost_fills += [
        f"{where}: {identity} was left as filled without its fills" for identity in history.store.unbacked
    ]
    named = {order["id"]: order["client_order_id"] for order in booked}
    mark = "::" if history.client == ALPACA else "-"
    for identity, row in rows.items():
        there = {each["id"]: each["quantity"] for each in executions if named[each["order"]] == identity}
        here = {trade.rpartition(mark)[2]: quantity for trade, quantity in row.fills.items()}
        found.lost_fills += [f"{where}: fill {each} of {identity}" for each in there.keys() - here.keys()]
        found.phantom_positions += [
            f"{where}: fill {each} of {identity}" for each in here if there.get(each) != here[each]
        ]
        # What the broker refused was not taken; the order itself may have been, at another try.
        last = [order["status"] for order in booked if order["client_order_id"] == identity][-1:]
        over = row.status is ENDS.get(last[0]) if last else row.status in NEVER_THERE
        if not over:
            found.stuck.append(f"{where}: {identity} is {row.status}, at the broker {last}")
