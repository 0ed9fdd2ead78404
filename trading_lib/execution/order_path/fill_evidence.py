"""Fills of an order as evidence: booked once, late ones too, and struck when the broker strikes them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from trading_lib.domain.book.orders import TRANSITIONS, OrderEvent, OrderStatus
from trading_lib.execution.order_path.absence import NOTHING_PROVED
from trading_lib.execution.order_path.evidence import Busted, Executed
from trading_lib.execution.order_path.life_steps import NEVER_SENT, appended, noted_once, taken
from trading_lib.execution.order_path.sending_policy import SendingPolicy
from trading_lib.execution.order_path.tracked import (
    ZERO,
    Action,
    Advanced,
    BookFill,
    Cancelling,
    StrikeFill,
    Tell,
    Tracked,
)


def executed(tracked: Tracked, evidence: Executed, now: datetime, policy: SendingPolicy) -> Advanced:
    """Weigh a fill; what the broker says was traded is booked, whatever became of the order here."""
    execution, source = evidence
    trade = execution.trade_id
    if trade in tracked.fills or trade in tracked.struck:
        return tracked, ()
    order, quantity = tracked.order, execution.quantity
    if (execution.symbol, execution.side) != (order.symbol, order.side) or not (
        quantity.is_finite() and quantity > 0 and execution.price.is_finite() and execution.price > 0
    ):
        tell = (
            f"the broker reports a fill {trade} under its id that cannot be its own: {execution.side} {quantity}"
            f" {execution.symbol} at {execution.price}; it is not booked"
        )
        return noted_once(tracked, now, source, "", execution.raw, tell)
    actions: tuple[Action, ...] = ()
    if tracked.status in (OrderStatus.INTENDED, OrderStatus.ABSENT):
        tracked, actions = taken(tracked, now, source, "", execution.raw, "")
    total = tracked.filled + quantity
    late = (tracked.status, OrderEvent.LATE_FILL) in TRANSITIONS
    event = OrderEvent.FILL if total >= order.quantity else OrderEvent.PARTIAL_FILL
    event = OrderEvent.LATE_FILL if late else event
    book = BookFill(execution, source)
    before = tracked
    tracked = tracked._replace(filled=total, fills={**tracked.fills, trade: quantity}, absence=NOTHING_PROVED)
    if tracked.status in NEVER_SENT:
        told = f"the broker filled {quantity} of it, and it was never sent; what was traded is booked"
        return tracked, (*actions, book, Tell(order.client_order_id, told))
    cancelling = Cancelling.NOT_ASKED if event is OrderEvent.FILL else tracked.cancelling
    tracked, filled = appended(tracked, event, now, source, f"trade {trade}", execution.raw, cancelling=cancelling)
    actions = (*actions, book, filled)
    if total > order.quantity:
        # The broker's word on what was traded counts: the position is there, whatever was ordered.
        told = f"the broker filled {total} of {order.quantity}; what was traded is booked"
        actions = (*actions, Tell(order.client_order_id, told))
    elif late and before.status is not OrderStatus.FILLED:
        told = f"it filled {quantity} after it was {before.status.lower()}; what was traded is booked"
        actions = (*actions, Tell(order.client_order_id, told))
    return tracked, actions


def busted(tracked: Tracked, evidence: Busted, now: datetime, policy: SendingPolicy) -> Advanced:
    """Weigh the broker's word that a fill does not stand."""
    bust, source = evidence
    if bust.trade_id in tracked.struck:
        return tracked, ()
    quantity = tracked.fills.get(bust.trade_id)
    struck = tracked.struck | {bust.trade_id}
    tracked = tracked._replace(called_filled=ZERO)
    if quantity is None:
        # It came before its fill, which is not booked then.
        if (tracked.status, OrderEvent.BUST) not in TRANSITIONS:
            return tracked._replace(struck=struck), ()
        tracked, early = appended(tracked, OrderEvent.BUST, now, source, bust.trade_id, bust.raw, struck=struck)
        return tracked, (early,)
    told = f"the broker struck its fill {bust.trade_id} of {quantity}" + (f": {bust.reason}" if bust.reason else "")
    tell = Tell(tracked.order.client_order_id, told)
    fills = {trade: units for trade, units in tracked.fills.items() if trade != bust.trade_id}
    changes: dict[str, Any] = {"fills": fills, "filled": tracked.filled - quantity, "struck": struck}
    if (tracked.status, OrderEvent.BUST) not in TRANSITIONS:
        return tracked._replace(**changes), (StrikeFill(bust, quantity), tell)
    tracked, gone = appended(tracked, OrderEvent.BUST, now, source, bust.trade_id, bust.raw, **changes)
    return tracked, (StrikeFill(bust, quantity), gone, tell)
