"""Moments of a process at which it can be killed, seen from outside: what it writes, commits, asks and is answered.

The engine of the database and the transport of the clients are wrapped; the order path knows nothing of it. A moment is
a text such as ``SUBMIT: committed`` or ``look-up: answer read``.
"""

from __future__ import annotations

import re
import select
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from typing import Any
from unittest.mock import patch

import requests
from sqlalchemy import Engine, event
from sqlalchemy.engine.default import DefaultDialect

from trading_lib.adapters.broker_simulator.transport import LoopbackAdapter

See = Callable[[str], None]
TABLES = {
    "order_intents": "intents",
    "fills": "fill",
    "account_cursors": "cursor",
    "portfolio_state": "portfolio",
    "broker_snapshots": "snapshot",
    "decisions": "decision",
    "reconciliation_breaks": "break",
}
WRITE = re.compile(r"\s*(?:INSERT INTO|UPDATE) (\w+)")
# (method, pattern of the path) -> what is asked, at Alpaca and at Binance.
ASKED = (
    ("POST", r"/v2/orders$|/api/v3/order$", "submit"),
    ("DELETE", r"/v2/orders|/api/v3/order", "cancel"),
    ("GET", r"/v2/orders:by_client_order_id|/api/v3/order$", "look-up"),
    ("GET", r"/v2/orders\?.*status=open|/api/v3/openOrders", "open orders"),
    ("GET", r"/v2/orders(\?|$)|/api/v3/allOrders", "all orders"),
    ("GET", r"/v2/account/activities|/api/v3/myTrades", "fills"),
    ("GET", r"/v2/positions|/v2/account$|/api/v3/account", "holdings"),
)
ANSWER_SECONDS = 10.0


@contextmanager
def watched(see: See, is_ours: Callable[[str], bool] = lambda client_order_id: True) -> Iterator[None]:
    """Call ``see`` with every moment of this process, before it goes on.

    Parameters
    ----------
    is_ours
        Whether what is written of an order makes a moment.
    """
    written: dict[int, set[str]] = {}
    asking = threading.local()

    def before_statement(connection: Any, cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        for name in _written(statement, parameters, is_ours):
            see(f"{name}: before write")
            written.setdefault(id(_driver(cursor.connection)), set()).add(name)

    commit = DefaultDialect.do_commit

    def do_commit(dialect: Any, connection: Any) -> None:
        names = sorted(written.pop(id(_driver(connection)), ()))
        for name in names:
            see(f"{name}: before commit")
        commit(dialect, connection)
        for name in names:
            see(f"{name}: committed")

    send = LoopbackAdapter.send

    def sent(adapter: Any, request: requests.PreparedRequest, *positional: Any, **options: Any) -> requests.Response:
        what = _asked(request)
        see(f"{what}: before sending")
        asking.what = what
        try:
            response = send(adapter, request, *positional, **options)
        finally:
            asking.what = None
        see(f"{what}: answer read")
        return response

    getresponse = HTTPConnection.getresponse

    def answered(connection: HTTPConnection, *positional: Any) -> Any:
        what = getattr(asking, "what", None)
        if what is not None:
            see(f"{what}: on the wire")
            select.select([connection.sock], [], [], ANSWER_SECONDS)
            see(f"{what}: answered and not read")
        return getresponse(connection, *positional)

    event.listen(Engine, "before_cursor_execute", before_statement)
    try:
        with (
            patch.object(DefaultDialect, "do_commit", do_commit),
            patch.object(LoopbackAdapter, "send", sent),
            patch.object(HTTPConnection, "getresponse", answered),
        ):
            yield
    finally:
        event.remove(Engine, "before_cursor_execute", before_statement)


def _written(statement: str, parameters: Any, is_ours: Callable[[str], bool]) -> Iterable[str]:
    """Return what a statement writes: events of orders by their names, the rest by its table."""
    found = WRITE.match(statement)
    if found is None:
        return ()
    sets = parameters if isinstance(parameters, list | tuple) else [parameters]
    rows = [row for each in sets for row in _rows(each)]
    orders = [row["client_order_id"] for row in rows if "client_order_id" in row]
    if orders and not any(map(is_ours, orders)):
        return ()
    if found[1] == "order_events":
        return sorted({_event(row) for row in rows if "event" in row and is_ours(row["client_order_id"])})
    return [TABLES[found[1]]] if found[1] in TABLES else ()


def _rows(parameters: Any) -> list[dict[str, Any]]:
    """Take the parameters of a statement that writes several rows apart: ``event_m1`` is ``event`` of the second."""
    rows: dict[str, dict[str, Any]] = {}
    for name, value in parameters.items():
        column, _, number = name.partition("_m") if re.search(r"_m\d+$", name) else (name, "", "0")
        column, _, number = name.partition("__") if re.search(r"__\d+$", name) else (column, "", number)
        rows.setdefault(number, {})[column] = value
    return list(rows.values())


def _event(row: dict[str, Any]) -> str:
    again = row["event"] == "SUBMIT" and row.get("attempt", 1) > 1
    return f"{row['event']} again" if again else str(row["event"])


def _driver(connection: Any) -> Any:
    """Return the driver's own connection, of a pool's or of itself."""
    return getattr(connection, "driver_connection", None) or connection


def _asked(request: requests.PreparedRequest) -> str:
    path = "/" + str(request.url).split("/", 3)[3]
    bare = path.partition("?")[0]
    for method, pattern, what in ASKED:
        if request.method == method and (re.search(pattern, path) or re.search(pattern, bare)):
            return what
    return "other"
