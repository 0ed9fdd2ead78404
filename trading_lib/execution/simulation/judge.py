"""The judge: what the store says of a history against the ledger of the broker."""

from __future__ import annotations

from dataclasses import dataclass

from trading_lib.domain.book.orders import OrderStatus
from trading_lib.execution.broker import BrokerStatus
from trading_lib.execution.simulation.history import History
from trading_lib.execution.simulation.model_broker import TakenOrder
from trading_lib.execution.simulation.model_store import StoredOrder


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is wrong after a history; all zero where nothing is.

    Attributes
    ----------
    duplicate_orders
        Orders at the broker beyond the first of an id, or under an id that is not stored, and orders that were sent
        again after somebody cancelled them, or more often than they may be.
    lost_fills
        Fills of the ledger that are not stored, and orders once stored as filled without their fills.
    phantom_positions
        Orders whose stored fills are not those of the ledger: more, or others.
    stuck
        Orders that are not over here, or over in another way than at the broker.
    """

    duplicate_orders: int = 0
    lost_fills: int = 0
    phantom_positions: int = 0
    stuck: int = 0

    @property
    def clean(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.duplicate_orders or self.lost_fills or self.phantom_positions or self.stuck)


CLEAN = Verdict()


_ENDS = {
    BrokerStatus.FILLED: OrderStatus.FILLED,
    BrokerStatus.CANCELLED: OrderStatus.CANCELLED,
    BrokerStatus.EXPIRED: OrderStatus.EXPIRED,
    BrokerStatus.REJECTED: OrderStatus.REJECTED,
}
# How an order may be over that never was at the broker.
_NEVER_THERE = (OrderStatus.CANCELLED, OrderStatus.REJECTED, OrderStatus.ABSENT)


def judge(history: History) -> Verdict:
    """Compare the store with the ledger when a history has come to its end."""
    duplicates = lost = phantom = stuck = 0
    ours: dict[str, list[TakenOrder]] = {identity: [] for identity in history.store.rows}
    foreign = set()
    for order in history.broker.taken:
        identity = order.order.client_order_id
        if order.is_foreign:
            foreign.add(identity)
        elif identity in ours:
            ours[identity].append(order)
        else:
            # Nothing is stored under the id: whatever it was meant to be, nobody here knows of it.
            duplicates += 1
    for identity, row in history.store.rows.items():
        taken = [order for order in ours[identity] if order.end is not BrokerStatus.REJECTED]
        duplicates += len(taken) > 1 and len(taken) - 1
        duplicates += row.attempts > history.unwanted.get(identity, history.policy.tries)
        fills = {trade.execution.trade_id: trade for order in taken for trade in order.trades}
        traded = {name: trade.execution.quantity for name, trade in fills.items() if trade.struck_at is None}
        total = sum(traded.values())
        if row.fills != traded or row.filled != total:
            lost += len(traded.keys() - row.fills.keys())
            phantom += row.filled > total or bool(row.fills.keys() - traded.keys())
        if row.status is OrderStatus.UNKNOWN and identity in foreign:
            # What cannot be told from another's order stays unknown, and the operator knows.
            continue
        stuck += not _is_over(row, taken[-1:] or ours[identity][-1:])
    lost += len(history.store.unbacked)
    if not (duplicates or lost or phantom or stuck):
        return CLEAN
    return Verdict(duplicates, lost, phantom, stuck)


def _is_over(row: StoredOrder, taken: list[TakenOrder]) -> bool:
    if not taken:
        return row.status in _NEVER_THERE
    return row.status is _ENDS[taken[0].end]
