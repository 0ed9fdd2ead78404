"""Alpaca's stream of trade updates: who listens, and the events as binary frames, after the faults had their turn."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from trading_lib.adapters.broker_simulator.alpaca.shapes import order_shape
from trading_lib.adapters.broker_simulator.exchange import Exchange
from trading_lib.adapters.broker_simulator.ledger.records import ALPACA, Account, Execution, Order, iso, plain

# Takes a frame; None closes the connection.
Send = Callable[[bytes | None], None]
# (event, symbol, client order id) -> names of the faults that strike it.
Strikes = Callable[[str, str, str], list[str]]
AUTHORIZED, UNAUTHORIZED = "authorized", "unauthorized"


@dataclass(eq=False)
class Listener:
    """One connection.

    Attributes
    ----------
    listens
        Whether it has asked for trade updates.
    held
        A frame that waits behind the next one.
    """

    send: Send
    account: Account | None = None
    listens: bool = False
    held: bytes | None = None


class TradeUpdates:
    """The stream's connections, and what is sent to them.

    Parameters
    ----------
    authenticate
        (key, secret) -> account, or None.
    strikes
        The faults of an event.
    """

    def __init__(
        self, exchange: Exchange, authenticate: Callable[[str, str], Account | None], strikes: Strikes
    ) -> None:
        self._exchange, self._authenticate, self._strikes = exchange, authenticate, strikes
        self._connections: list[Listener] = []
        self._sent = 0
        exchange.listeners.append(self._publish)

    def connect(self, send: Send) -> Listener:
        """Add a connection."""
        listener = Listener(send)
        self._connections.append(listener)
        return listener

    def disconnect(self, listener: Listener) -> None:
        """Forget a connection."""
        if listener in self._connections:
            self._connections.remove(listener)

    def receive(self, listener: Listener, text: str | bytes) -> None:
        """Take a message of a client: it authenticates, or says what it listens to."""
        try:
            message = json.loads(text)
            action, data = message["action"], message.get("data") or {}
        except (ValueError, KeyError, TypeError):
            listener.send(_frame("error", {"error": "invalid message"}))
            return
        if action in ("authenticate", "auth"):
            self._authorize(listener, message, data)
        elif action == "listen":
            self._listen(listener, data)

    def close_all(self) -> None:
        """Close every connection."""
        for listener in list(self._connections):
            self.disconnect(listener)
            listener.send(None)

    def _authorize(self, listener: Listener, message: dict[str, Any], data: dict[str, Any]) -> None:
        key = str(data.get("key_id") or message.get("key") or "")
        secret = str(data.get("secret_key") or message.get("secret") or "")
        account = self._authenticate(key, secret)
        taken = any(each.account is account for each in self._connections if each is not listener)
        allowed = account is not None and account.face == ALPACA and not taken
        listener.account = account if allowed else None
        status = AUTHORIZED if allowed else UNAUTHORIZED
        listener.send(_frame("authorization", {"action": "authenticate", "status": status}))

    @staticmethod
    def _listen(listener: Listener, data: dict[str, Any]) -> None:
        streams = [each for each in data.get("streams", []) if each == "trade_updates"]
        listener.listens = bool(streams) and listener.account is not None
        listener.send(_frame("listening", {"streams": streams if listener.account is not None else []}))

    def _publish(self, event: str, order: Order, execution: Execution | None) -> None:
        receivers = [
            each for each in self._connections if each.listens and each.account and each.account.id == order.account
        ]
        if not receivers:
            return
        self._sent += 1
        frame = _frame("trade_updates", self._update(event, order, execution))
        struck = self._strikes(event, order.symbol, order.client_order_id)
        for listener in receivers:
            self._deliver(listener, frame, struck)

    def _deliver(self, listener: Listener, frame: bytes, struck: list[str]) -> None:
        if "stream_disconnect" in struck:
            self.disconnect(listener)
            listener.send(None)
        elif "stream_drop" in struck:
            return
        elif "stream_reorder" in struck and listener.held is None:
            listener.held = frame
        else:
            held, listener.held = listener.held, None
            listener.send(frame)
            if "stream_duplicate" in struck:
                listener.send(frame)
            if held is not None:
                listener.send(held)

    def _update(self, event: str, order: Order, execution: Execution | None) -> dict[str, Any]:
        update: dict[str, Any] = {
            "event": event,
            "event_id": f"{self._sent:026d}",
            "timestamp": iso(self._exchange.now()),
            "at": iso(self._exchange.now()),
            "order": order_shape(order),
        }
        if execution is not None:
            account = self._exchange.state.accounts[order.account]
            update.update(
                execution_id=execution.id,
                price=plain(execution.price),
                qty=plain(execution.quantity),
                position_qty=plain(account.balance(order.symbol)),
                timestamp=iso(execution.at),
            )
            replaced = execution.bust_of or execution.corrects
            if replaced:
                update["previous_execution_id"] = replaced
        return update


def _frame(stream: str, data: dict[str, Any]) -> bytes:
    return json.dumps({"stream": stream, "data": data}, separators=(",", ":")).encode()
