"""State of the simulated brokers: what folding the ledger's events gives.

A restarted simulator folds the same events, so it knows exactly what its last answer told.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from decimal import Decimal

from trading_lib.adapters.broker_simulator.ledger.records import (
    Account,
    Event,
    Execution,
    Movement,
    Order,
    parse_time,
)

ZERO = Decimal(0)
AMOUNTS = frozenset(
    ("quantity", "price", "fee", "cumulative", "left", "limit_price", "stop_price", "portion", "amount", "per_share")
)
TIMES = frozenset(("at", "created_at", "visible_at"))


class State:
    """Accounts, orders and executions, folded from events one by one."""

    def __init__(self) -> None:
        self.accounts: dict[str, Account] = {}
        self.orders: dict[str, Order] = {}
        self.open: dict[str, Order] = {}
        self.by_client_id: dict[tuple[str, str], list[Order]] = {}
        self.of_account: dict[str, list[Order]] = {}
        self.executions: list[Execution] = []
        self.of_order: dict[str, list[Execution]] = {}
        self.movements: list[Movement] = []
        self.prices: dict[str, Decimal] = {}
        self.processed_until: str = ""
        self.clock: Event | None = None
        self._appliers: Mapping[str, Callable[[Event], None]] = {
            "account": self._account,
            "settings": self._settings,
            "order": self._order,
            "status": self._status,
            "adjust": self._adjust,
            "execution": self._execution,
            "movement": self._movement,
            "price": self._price,
            "clock": self._clock,
            "until": self._until,
        }

    def apply(self, event: Event) -> None:
        """Fold one event; kinds that only the judge reads change nothing."""
        applier = self._appliers.get(event["kind"])
        if applier is not None:
            applier(event)

    def executions_of(self, order: Order) -> list[Execution]:
        """Return the fills of an order, the oldest first."""
        return self.of_order.get(order.id, [])

    def orders_of(self, account: str) -> list[Order]:
        """Orders of an account, the oldest first."""
        return self.of_account.get(account, [])

    def open_orders(self, account: str) -> Iterator[Order]:
        """Orders of an account that may still fill, the oldest first."""
        return (order for order in self.open.values() if order.account == account)

    def _account(self, event: Event) -> None:
        self.accounts[event["id"]] = Account(
            event["id"],
            event["face"],
            event["number"],
            event["endpoint"],
            parse_time(event["at"]),
            dict(event["settings"]),
        )

    def _settings(self, event: Event) -> None:
        self.accounts[event["account"]].settings.update(event["settings"])

    def _order(self, event: Event) -> None:
        order = Order(**_typed(event, Order))
        order.updated_at = order.created_at
        self.orders[order.id] = order
        self.by_client_id.setdefault((order.account, order.client_order_id), []).append(order)
        self.of_account.setdefault(order.account, []).append(order)
        if order.is_open:
            self.open[order.id] = order
        else:
            order.ended_at = order.created_at

    def _status(self, event: Event) -> None:
        order, at = self.orders[event["order"]], parse_time(event["at"])
        order.status, order.updated_at, order.reason = event["status"], at, event.get("reason", order.reason)
        order.triggered = event.get("triggered", order.triggered)
        if not order.is_open:
            order.ended_at = at
            self.open.pop(order.id, None)

    def _adjust(self, event: Event) -> None:
        """Change the terms of a working order, as a split does."""
        order = self.orders[event["order"]]
        order.quantity = Decimal(event["quantity"])
        for name in ("limit_price", "stop_price"):
            setattr(order, name, None if event[name] is None else Decimal(event[name]))
        order.updated_at = parse_time(event["at"])

    def _execution(self, event: Event) -> None:
        execution = Execution(**_typed(event, Execution))
        self.executions.append(execution)
        self.of_order.setdefault(execution.order, []).append(execution)
        account, order = self.accounts[execution.account], self.orders.get(execution.order)
        replaced = execution.bust_of or execution.corrects
        if replaced:
            old = next(each for each in self.executions if each.id == replaced)
            _settle(account, old, -1)
            self._refill(order, old, -1)
        if not execution.bust_of:
            _settle(account, execution, 1)
            self._refill(order, execution, 1)
        if order is not None:
            order.updated_at = execution.at
            if not replaced:
                order.status = execution.status
                if not order.is_open:
                    order.ended_at = execution.at
                    self.open.pop(order.id, None)

    @staticmethod
    def _refill(order: Order | None, execution: Execution, sign: int) -> None:
        if order is not None:
            order.filled += sign * execution.quantity
            order.paid += sign * execution.quantity * execution.price

    def _movement(self, event: Event) -> None:
        movement = Movement(**_typed(event, Movement))
        self.movements.append(movement)
        balances = self.accounts[movement.account].balances
        balances[movement.asset] = balances.get(movement.asset, ZERO) + movement.amount

    def _price(self, event: Event) -> None:
        if event["price"] is None:
            self.prices.pop(event["symbol"], None)
        else:
            self.prices[event["symbol"]] = Decimal(event["price"])

    def _clock(self, event: Event) -> None:
        self.clock = event

    def _until(self, event: Event) -> None:
        self.processed_until = event["at"]


def _settle(account: Account, execution: Execution, sign: int) -> None:
    """Move units, money and fee of an execution; -1 takes them back."""
    direction = sign * (1 if execution.side == "buy" else -1)
    held, cost = account.balance(execution.base), account.costs.get(execution.base, ZERO)
    moved = direction * execution.quantity
    if held * moved >= 0:
        cost += moved * execution.price
    elif abs(moved) <= abs(held):
        cost -= cost * abs(moved) / abs(held)
    else:
        cost = (held + moved) * execution.price
    account.costs[execution.base] = cost
    account.balances[execution.base] = held + moved
    account.balances[execution.quote] = account.balance(execution.quote) - moved * execution.price
    if execution.fee:
        account.balances[execution.fee_asset] = account.balance(execution.fee_asset) - sign * execution.fee


def _typed(event: Event, record: type) -> Event:
    """Return the fields of ``record`` that an event has, as amounts and times."""
    names = {each.name for each in fields(record)}
    return {name: _value(name, value) for name, value in event.items() if name in names}


def _value(name: str, value: object) -> object:
    if value is None:
        return None
    if name in AMOUNTS:
        return Decimal(str(value))
    return parse_time(str(value)) if name in TIMES else value
