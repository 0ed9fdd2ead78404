"""Proof that an order is not at its broker. It rests on what was read and when, never on how often it was not found.

An order whose sending has an unknown outcome is absent when, in this order,

1. the window has passed since it was sent, and since anything last spoke for its being there,
2. the open orders, the closed orders and the fills were each read completely, each reading begun after the window, and
   the order is in none of them,
3. a look-up that was begun after these readings had ended does not find it.

Any answer that is missing, unreadable or speaks for the order leaves the proof open.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

from trading_lib.execution.order_path.evidence import Reading


class Absence(NamedTuple):
    """How far the proof of an order's absence has come.

    Attributes
    ----------
    contradicted_at
        When something last spoke for the order's being there; None where nothing has since it was sent.
    open_orders, closed_orders, fills
        When the reading that does not list the order had ended; None where it is still to be made.
    """

    contradicted_at: datetime | None = None
    open_orders: datetime | None = None
    closed_orders: datetime | None = None
    fills: datetime | None = None


NOTHING_PROVED = Absence()
_FIELDS = {Reading.OPEN: "open_orders", Reading.CLOSED: "closed_orders", Reading.FILLS: "fills"}


def window_end(absence: Absence, sent_at: datetime, window: timedelta) -> datetime:
    """When readings begin to count."""
    since = absence.contradicted_at
    return (sent_at if since is None or since < sent_at else since) + window


def contradicted(at: datetime) -> Absence:
    """Begin anew, because something spoke for the order's being there."""
    return Absence(at)


def without_order(
    absence: Absence, reading: Reading, begun_at: datetime, now: datetime, sent_at: datetime, window: timedelta
) -> Absence:
    """Add a complete reading that has ended ``now`` and does not list the order; one begun too early adds nothing."""
    name = _FIELDS[reading]
    if begun_at < window_end(absence, sent_at, window) or begun_at > now or getattr(absence, name) is not None:
        return absence
    return absence._replace(**{name: now})


def is_proved(absence: Absence, begun_at: datetime) -> bool:
    """Whether an order that a look-up begun at ``begun_at`` does not find is absent."""
    _, open_orders, closed_orders, fills = absence
    if open_orders is None or closed_orders is None or fills is None:
        return False
    return begun_at >= open_orders and begun_at >= closed_orders and begun_at >= fills
