"""The judge: what was really booked, read from the ledger's events alone.

It shares no code with the order path, nor with the fold that the simulated brokers answer from.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from trading_lib.adapters.broker_simulator.ledger.file import read_events
from trading_lib.adapters.broker_simulator.ledger.records import Event

ZERO = Decimal(0)


class Judge:
    """Queries over a ledger's events.

    Parameters
    ----------
    events
        Of the ledger, the oldest first.
    """

    def __init__(self, events: Sequence[Event]) -> None:
        self._events = events

    @classmethod
    def of_file(cls, path: Path) -> Judge:
        """Judge a ledger's file; its simulator may still run, or have been killed."""
        return cls(read_events(path))

    def orders(self, account: str | None = None) -> list[dict[str, Any]]:
        """Return every order that was booked, with its last status and what of it filled, the oldest first."""
        found: dict[str, dict[str, Any]] = {}
        for event in self._of("order", account):
            found[event["id"]] = {**event, "filled": ZERO, "quantity": Decimal(event["quantity"])}
        for event in self._events:
            if event["kind"] == "status" and event["order"] in found:
                found[event["order"]]["status"] = event["status"]
            elif event["kind"] == "adjust" and event["order"] in found:
                found[event["order"]]["quantity"] = Decimal(event["quantity"])
            elif event["kind"] == "execution" and event["order"] in found and not _replaces(event):
                found[event["order"]]["status"] = event["status"]
        for execution in self.executions(account):
            if execution["order"] in found:
                found[execution["order"]]["filled"] += execution["quantity"]
        return list(found.values())

    def executions(self, account: str | None = None) -> list[dict[str, Any]]:
        """Return the fills that stand: without the busted ones, and as they were corrected."""
        undone = {_replaces(event) for event in self._of("execution", account)}
        return [
            {**event, "quantity": Decimal(event["quantity"]), "price": Decimal(event["price"])}
            for event in self._of("execution", account)
            if event["id"] not in undone and not event.get("bust_of")
        ]

    def positions(self, account: str | None = None) -> dict[str, Decimal]:
        """Asset -> units, of the fills that stand, their fees and every other movement; nothing that is zero."""
        held: dict[str, Decimal] = defaultdict(lambda: ZERO)
        for execution in self.executions(account):
            signed = execution["quantity"] if execution["side"] == "buy" else -execution["quantity"]
            held[execution["base"]] += signed
            held[execution["quote"]] -= signed * execution["price"]
            held[execution["fee_asset"]] -= Decimal(execution["fee"])
        for movement in self._of("movement", account):
            held[movement["asset"]] += Decimal(movement["amount"])
        return {asset: units for asset, units in held.items() if units}

    def duplicates(self, account: str | None = None) -> list[dict[str, Any]]:
        """Return the client order ids under which more than one order was booked that the broker did not reject."""
        grouped: dict[tuple[str, str], list[str]] = defaultdict(list)
        for order in self.orders(account):
            if order["status"] != "rejected":
                grouped[(order["account"], order["client_order_id"])].append(order["id"])
        return [
            {"account": owner, "client_order_id": identity, "orders": ids}
            for (owner, identity), ids in grouped.items()
            if len(ids) > 1
        ]

    def twins(self, account: str | None = None) -> list[dict[str, Any]]:
        """Return orders of the same symbol, side, quantity and day under different ids: one intent sent twice."""
        grouped: dict[tuple[str, ...], list[str]] = defaultdict(list)
        for order in self.orders(account):
            if order["status"] != "rejected":
                terms = (order["account"], order["created_at"][:10], order["symbol"], order["side"])
                grouped[(*terms, f"{order['quantity'].normalize():f}")].append(order["client_order_id"])
        return [
            {"account": key[0], "day": key[1], "symbol": key[2], "side": key[3], "quantity": key[4], "ids": ids}
            for key, ids in grouped.items()
            if len(set(ids)) > 1
        ]

    def received(self, account: str | None = None) -> list[Event]:
        """Return every request to place or cancel an order that arrived, refused ones and dropped ones too."""
        return self._of("request", account)

    def _of(self, kind: str, account: str | None) -> list[Event]:
        return [
            event for event in self._events if event["kind"] == kind and account in (None, event.get("account", None))
        ]


def merged(judges: Iterable[Judge]) -> Judge:
    """Judge several ledgers as one."""
    return Judge([event for judge in judges for event in judge._events])


def _replaces(event: Event) -> str:
    return event.get("bust_of") or event.get("corrects") or ""
