"""The named points at which processes are killed, and what has to go wrong for a process to come there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Rule = dict[str, Any]
POST = {"method": "POST"}
LOST = {"do": "accept_then_drop", "nth": 1, **POST}
NEVER_ARRIVED = {"do": "drop_before", "nth": 1, **POST}
# The broker has the order, and says for most of a minute that it has not.
INVISIBLE = {"do": "invisible", "nth": 1, "seconds": 55, **POST}
PARTIAL = {"do": "partial", "nth": 1, "portion": 0.5, **POST}


@dataclass(frozen=True)
class Point:
    """A point.

    Attributes
    ----------
    moment
        As `moments` calls it.
    faults
        Rules of the simulator without which nobody comes there.
    most
        The so-and-so-many-th time is drawn up to this.
    late_fill
        Whether the broker fills the rest of an order that has ended.
    cancels
        Whether the kill switch is thrown and asks for cancellations.
    """

    name: str
    moment: str
    faults: tuple[Rule, ...] = ()
    most: int = 1
    late_fill: bool = False
    cancels: bool = False


POINTS = (
    Point("intents not stored yet", "intents: before write"),
    Point("intents written, not committed", "intents: before commit"),
    Point("intents stored", "intents: committed"),
    Point("SUBMIT not stored yet", "SUBMIT: before write", most=2),
    Point("SUBMIT written, not committed", "SUBMIT: before commit", most=2),
    Point("SUBMIT stored, nothing sent", "SUBMIT: committed", most=2),
    Point("request about to be sent", "submit: before sending", most=2),
    Point("request on the wire", "submit: on the wire", most=2),
    Point("booked, answer not read", "submit: answered and not read", most=2),
    Point("answer read, not stored", "submit: answer read", most=2),
    Point("ACCEPT written, not committed", "ACCEPT: before commit", most=2),
    Point("ACCEPT stored", "ACCEPT: committed", most=2),
    Point("booked and invisible, answer not read", "submit: answered and not read", (INVISIBLE,)),
    Point("booked and invisible, answer not stored", "submit: answer read", (INVISIBLE,)),
    Point("booked and invisible, answer lost, look-up answered", "look-up: answer read", (INVISIBLE, LOST)),
    Point("look-up about to be sent", "look-up: before sending", (LOST,)),
    Point("look-up on the wire", "look-up: on the wire", (LOST,)),
    Point("look-up answered, not stored", "look-up: answer read", (LOST,)),
    Point("open orders read, while proving absence", "open orders: answer read", (NEVER_ARRIVED,)),
    Point("all orders read, while proving absence", "all orders: answer read", (NEVER_ARRIVED,)),
    Point("fills read, while proving absence", "fills: answer read", (NEVER_ARRIVED,)),
    Point("absence written, not committed", "PROVE_ABSENT: before commit", (NEVER_ARRIVED,)),
    Point("absence stored", "PROVE_ABSENT: committed", (NEVER_ARRIVED,)),
    Point("second SUBMIT stored, nothing sent", "SUBMIT again: committed", (NEVER_ARRIVED,)),
    Point("fills asked for", "fills: on the wire"),
    Point("fills read, not stored", "fills: answer read"),
    Point("fill written, not committed", "fill: before commit"),
    Point("fill stored", "fill: committed"),
    Point("FILL written, not committed", "FILL: before commit"),
    Point("FILL stored", "FILL: committed"),
    Point("partial fill stored", "fill: committed", (PARTIAL,)),
    Point("late fill written, not committed", "fill: before commit", (PARTIAL,), late_fill=True),
    Point("late fill stored", "fill: committed", (PARTIAL,), late_fill=True),
    Point("cancellation written, not committed", "REQUEST_CANCEL: before commit", cancels=True),
    Point("cancellation stored, nothing asked", "REQUEST_CANCEL: committed", cancels=True),
    Point("cancellation on the wire", "cancel: on the wire", cancels=True),
    Point("cancellation answered, not stored", "cancel: answer read", cancels=True),
    Point("CANCEL written, not committed", "CANCEL: before commit", cancels=True),
    Point("CANCEL stored", "CANCEL: committed", cancels=True),
    Point("cursor written, not committed", "cursor: before commit"),
    Point("cursor stored", "cursor: committed"),
    Point("portfolio written, not committed", "portfolio: before commit", most=2),
    Point("portfolio stored", "portfolio: committed", most=2),
)
