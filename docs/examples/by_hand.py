"""A broker for accounts without an interface: orders go to a file, a person places them and writes down what filled.

The folder that BY_HAND_FOLDER names holds orders.csv and ended.csv, which this file writes, and fills.csv, which you
write: one line per fill, appended. BY_HAND_CASH is the cash that the account started with.
"""

import csv
import os
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from trading_lib.domain.book.orders import Side
from trading_lib.domain.errors import BrokerUnavailableError, ConfigurationError
from trading_lib.domain.market.instruments import AssetClass
from trading_lib.execution.broker import (
    Answer,
    BrokerAccount,
    BrokerOrder,
    BrokerStatus,
    Capabilities,
    Execution,
    Executions,
    LookUp,
    Outcome,
    Seen,
)
from trading_lib.execution.polling import poll_fills

ORDERS = ("client_order_id", "symbol", "side", "quantity", "taken_at")
FILLS = ("trade_id", "client_order_id", "quantity", "price", "commission", "filled_at")
ENDED = ("client_order_id", "status", "reason")


class ByHand:
    name = "by-hand"
    capabilities = Capabilities(asset_classes=frozenset(AssetClass), fractional=True)

    def __init__(self, setting, wait=None):
        if "BY_HAND_FOLDER" not in setting.environment:
            raise ConfigurationError("BY_HAND_FOLDER is not set", "let it name the folder of orders.csv and fills.csv")
        self._folder = Path(setting.environment["BY_HAND_FOLDER"])
        self._cash = Decimal(setting.environment.get("BY_HAND_CASH", "0"))
        self._account, self._wait = setting.account, wait

    async def connect(self):
        if not self._folder.is_dir():
            raise BrokerUnavailableError(f"the folder {self._folder} of broker by-hand is not there", "create it")

    async def close(self):
        pass

    async def account(self):
        cash = self._cash
        for fill in self._fills():
            paid = fill.quantity * fill.price
            cash -= fill.commission + (paid if fill.side is Side.BUY else -paid)
        return BrokerAccount(self._account, self.capabilities.currency, cash, max(cash, Decimal(0)))

    async def positions(self):
        held = {}
        for fill in self._fills():
            change = fill.quantity if fill.side is Side.BUY else -fill.quantity
            held[fill.symbol] = held.get(fill.symbol, Decimal(0)) + change
        return {symbol: quantity for symbol, quantity in held.items() if quantity}

    async def open_orders(self):
        found = [await self.find(identity) for identity in self._orders()]
        return tuple(one.order for one in found if one.order.status.is_open)

    async def closed_orders(self, since):
        orders = self._orders()
        found = [await self.find(identity) for identity in orders]
        taken = {identity: datetime.fromisoformat(row["taken_at"]) for identity, row in orders.items()}
        return tuple(
            one.order for one in found if not one.order.status.is_open and taken[one.order.client_order_id] >= since
        )

    async def submit(self, cleared):
        order = cleared.order
        if order.client_order_id in self._orders():
            return Answer(Outcome.DUPLICATE, order.client_order_id, "it is in orders.csv")
        row = {name: str(getattr(order, name)) for name in ORDERS[:-1]} | {"taken_at": datetime.now(UTC).isoformat()}
        self._append("orders.csv", ORDERS, row)
        return Answer(Outcome.ACCEPTED, order.client_order_id)

    async def find(self, client_order_id):
        row = self._orders().get(client_order_id)
        if row is None:
            return LookUp(Seen.NOT_FOUND)
        quantity = Decimal(row["quantity"])
        fills = [fill for fill in self._fills() if fill.client_order_id == client_order_id]
        filled = sum((fill.quantity for fill in fills), Decimal(0))
        status, reason = BrokerStatus.PARTIALLY_FILLED if filled else BrokerStatus.WORKING, ""
        for ended in self._rows("ended.csv"):
            if ended["client_order_id"] == client_order_id:
                status, reason = BrokerStatus(ended["status"]), ended["reason"]
        if filled == quantity:
            status, reason = BrokerStatus.FILLED, ""
        side = Side(row["side"])
        order = BrokerOrder(client_order_id, client_order_id, row["symbol"], side, quantity, filled, status, reason)
        return LookUp(Seen.FOUND, order)

    async def cancel(self, client_order_id):
        found = (await self.find(client_order_id)).order
        if found is None or not found.status.is_open:
            return Answer(Outcome.REJECTED, reason="there is no such open order")
        row = {"client_order_id": client_order_id, "status": "CANCELLED", "reason": "cancelled on request"}
        self._append("ended.csv", ENDED, row)
        return Answer(Outcome.ACCEPTED, client_order_id)

    async def fills_since(self, cursor):
        # The cursor is how many lines have been read; lines are only ever appended.
        fills, read = self._fills(), int(cursor or 0)
        newest = str(len(fills)) if len(fills) > read else cursor
        return Executions(tuple(sorted(fills[read:], key=lambda fill: fill.filled_at)), newest)

    async def subscribe(self, cursor):
        async for fill in poll_fills(self.fills_since, cursor, self._wait):
            yield fill

    def _orders(self):
        return {row["client_order_id"]: row for row in self._rows("orders.csv")}

    def _fills(self):
        orders, fills = self._orders(), []
        for row in self._rows("fills.csv"):
            # Fills without an order are reported, too: the system asks who traded.
            order = orders.get(row["client_order_id"], {"symbol": "", "side": "BUY"})
            amounts = [Decimal(row[name]) for name in ("quantity", "price", "commission")]
            names = (row["trade_id"], row["client_order_id"], order["symbol"], Side(order["side"]))
            fills.append(Execution(*names, *amounts, datetime.fromisoformat(row["filled_at"])))
        return fills

    def _rows(self, name):
        path = self._folder / name
        if not path.is_file():
            return []
        with path.open(newline="", encoding="utf-8") as file:
            return list(csv.DictReader(file))

    def _append(self, name, columns, row):
        path = self._folder / name
        new = not path.is_file()
        with path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, columns)
            if new:
                writer.writeheader()
            writer.writerow(row)
            file.flush()
            os.fsync(file.fileno())
