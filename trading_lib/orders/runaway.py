"""When orders run away: more are sent or refused than a book ever has. Input: counts. Output: a reason to halt."""

from __future__ import annotations

from dataclasses import dataclass

from trading_lib.orders.config import TripConfig


@dataclass(frozen=True, slots=True)
class SendingCounts:
    """What was sent to real brokers so far, every try counted.

    Attributes
    ----------
    session
        Of one book and session.
    minute
        Of all books in the last minute.
    rejected_in_a_row
        Orders of the book that its brokers rejected, the newest without any other between.
    collar_breaches, notional_breaches
        Orders of the session that the pre-trade checks refused for their price or their value.
    """

    session: int = 0
    minute: int = 0
    rejected_in_a_row: int = 0
    collar_breaches: int = 0
    notional_breaches: int = 0


def trip_reason(counts: SendingCounts, config: TripConfig) -> str:
    """Say why trading is to be halted before one more order goes; "" where it is not."""
    if counts.session >= config.max_orders_per_session:
        return f"{counts.session} orders were sent in one session, and max_orders_per_session is reached"
    if counts.minute >= config.max_orders_per_minute:
        return f"{counts.minute} orders were sent within a minute, and max_orders_per_minute is reached"
    if counts.rejected_in_a_row >= config.max_rejections_in_a_row:
        return f"{counts.rejected_in_a_row} orders in a row were rejected, and max_rejections_in_a_row is reached"
    if counts.collar_breaches > config.max_collar_breaches:
        return f"{counts.collar_breaches} orders of a session were priced beyond price_collar"
    if counts.notional_breaches > config.max_notional_breaches:
        return f"{counts.notional_breaches} orders of a session were worth more than max_order_notional"
    return ""
