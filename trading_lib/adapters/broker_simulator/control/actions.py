"""What happens to the accounts from outside: prices, dividends, splits, liquidations, trades by hand, busts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from trading_lib.adapters.broker_simulator.ledger.records import ALPACA, BINANCE, Account, Execution, Order, iso
from trading_lib.adapters.broker_simulator.market.instruments import Asset

if TYPE_CHECKING:
    from trading_lib.adapters.broker_simulator.simulator import Simulator

Asked = Mapping[str, Any]
DOLLAR = "USD"


class ControlError(Exception):
    """A request of the control face that makes no sense; its text names the field."""


class Actions:
    """Changes of accounts and market by somebody other than the system under test.

    Parameters
    ----------
    simulator
        What is changed.
    """

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    def account(self, number: str) -> Account:
        """Return the account of a number, or of a face's name."""
        for each in self._simulator.exchange.state.accounts.values():
            if number in (each.number, each.id):
                return each
        if number in (ALPACA, BINANCE):
            return self._simulator.account_of(number)
        raise ControlError(f"account: there is none with the number {number}")

    def prices(self, asked: Asked) -> None:
        """Set prices; null gives a symbol back to the seed. What they meet fills."""
        exchange = self._simulator.exchange
        for symbol, price in asked.items():
            value = None if price is None else _amount(price, symbol)
            exchange.record("price", symbol=symbol, price=None if value is None else str(value))
            exchange.match_all(symbol)

    def halt(self, asked: Asked) -> dict[str, Any]:
        """Let nothing fill in ``symbols``, or let it again with ``on: false``."""
        halted = self._simulator.exchange.halted
        symbols = set(asked["symbols"])
        if asked.get("on", True):
            halted |= symbols
        else:
            halted -= symbols
            for symbol in symbols:
                self._simulator.exchange.match_all(symbol)
        return {"halted": sorted(halted)}

    def assets(self, asked: Asked) -> None:
        """List an asset at Alpaca, or change its attributes."""
        assets = self._simulator.exchange.assets
        known = {each.name for each in fields(Asset)}
        if unknown := sorted(set(asked) - known):
            raise ControlError(f"assets: {unknown[0]} is no attribute; use {', '.join(sorted(known))}")
        symbol = str(asked["symbol"])
        before = assets.get(symbol, Asset(symbol, symbol))
        assets[symbol] = replace(before, **asked)

    def dividend(self, asked: Asked) -> dict[str, Any]:
        """Pay ``per_share`` to every account that holds ``symbol``."""
        symbol, per_share = str(asked["symbol"]), _amount(asked["per_share"], "per_share")
        paid = {}
        for account in self._holders(symbol):
            amount = round(account.balance(symbol) * per_share, 2)
            self._simulator.exchange.move(
                account.id, "DIV", DOLLAR, amount, symbol=symbol, per_share=str(per_share), note="cash dividend"
            )
            paid[account.number] = amount
        return {"paid": paid}

    def split(self, asked: Asked) -> None:
        """Split ``symbol``: ``ratio`` new shares for an old one; ``orders`` says whether to adjust or cancel them."""
        symbol, ratio = str(asked["symbol"]), _amount(asked["ratio"], "ratio")
        exchange = self._simulator.exchange
        # Before the price moves, so that nothing meets it under its old terms.
        for order in [each for each in exchange.state.open.values() if each.symbol == symbol]:
            if asked.get("orders", "adjust") == "cancel":
                exchange.cancel(order, "cancelled for a corporate action")
            else:
                self._adjust(order, ratio)
        for account in self._holders(symbol):
            added = account.balance(symbol) * (ratio - 1)
            exchange.move(account.id, "SPLIT", symbol, added, symbol=symbol, note=f"split {ratio} for 1")
        exchange.record("price", symbol=symbol, price=str(round(exchange.price(symbol) / ratio, 2)))

    def liquidate(self, asked: Asked) -> dict[str, Any]:
        """Sell what an account holds of ``symbol``, as a broker does on its own account."""
        account, symbol = self._named(asked), str(asked["symbol"])
        exchange = self._simulator.exchange
        for order in [each for each in exchange.state.open_orders(account.id) if each.symbol == symbol]:
            exchange.cancel(order, "cancelled for a liquidation")
        base = exchange.pairs[symbol].base if account.face == BINANCE else symbol
        quantity = account.balance(base)
        if quantity <= 0:
            raise ControlError(f"symbol: account {account.number} holds no {symbol}")
        return self._done(account, symbol, "sell", quantity, exchange.price(symbol), "liquidation")

    def trade(self, asked: Asked) -> dict[str, Any]:
        """Trade by hand: an order of somebody who uses the same account, filled at once."""
        account, symbol = self._named(asked), str(asked["symbol"])
        price = _amount(asked["price"], "price") if "price" in asked else self._simulator.exchange.price(symbol)
        side = str(asked["side"])
        if side not in ("buy", "sell"):
            raise ControlError("side: it must be buy or sell")
        return self._done(account, symbol, side, _amount(asked["quantity"], "quantity"), price, "by-hand")

    def fill(self, asked: Asked) -> dict[str, Any]:
        """Fill an order, even one that has ended: ``quantity`` (the rest) at ``price`` (the market's)."""
        order = self._order(asked)
        quantity = _amount(asked["quantity"], "quantity") if "quantity" in asked else order.left
        price = _amount(asked["price"], "price") if "price" in asked else self._simulator.exchange.price(order.symbol)
        if quantity > order.left:
            raise ControlError(f"quantity: only {order.left} of the order is left")
        return {"execution": self._simulator.exchange.fill(order, quantity, price).id}

    def reject(self, asked: Asked) -> None:
        """Reject an order that had been accepted."""
        order = self._order(asked)
        if not order.is_open:
            raise ControlError(f"the order is {order.status} already")
        self._simulator.exchange.reject(order, str(asked.get("reason", "rejected by the venue")))

    def bust(self, asked: Asked) -> None:
        """Bust an execution."""
        self._simulator.exchange.undo(self._execution(asked))

    def correct(self, asked: Asked) -> None:
        """Correct an execution's price or quantity."""
        price = _amount(asked["price"], "price") if "price" in asked else None
        quantity = _amount(asked["quantity"], "quantity") if "quantity" in asked else None
        if price is None and quantity is None:
            raise ControlError("price: give it, or a quantity")
        self._simulator.exchange.undo(self._execution(asked), price, quantity)

    def deposit(self, asked: Asked) -> None:
        """Move money or units into an account, or out with a negative ``amount``."""
        account, asset = self._named(asked), str(asked["asset"])
        amount = Decimal(str(asked["amount"]))
        usual = ("CSD" if amount > 0 else "CSW") if asset in (DOLLAR, "USDT") else "JNLS"
        note = str(asked.get("note", "transfer"))
        self._simulator.exchange.move(account.id, str(asked.get("activity", usual)), asset, amount, note=note)

    def settings(self, asked: Asked) -> None:
        """Change an account's settings."""
        account = self._named(asked)
        self._simulator.exchange.record("settings", account=account.id, settings=dict(asked["settings"]))

    def accounts(self, asked: Asked) -> dict[str, Any]:
        """Open an account with a key of its own."""
        face, endpoint = str(asked["face"]), str(asked.get("endpoint", "paper"))
        if face not in (ALPACA, BINANCE) or endpoint not in ("paper", "live"):
            raise ControlError("face: it must be alpaca or binance, and endpoint paper or live")
        number = str(asked["number"])
        if face == BINANCE and not number.isdigit():
            raise ControlError("number: Binance's are digits")
        deposit = {asset: _amount(units, asset) for asset, units in dict(asked.get("deposit", {})).items()}
        made = self._simulator.add_account(
            face, endpoint, number, str(asked["key"]), str(asked["secret"]), asked.get("settings"), deposit
        )
        return {"account": made.number}

    def switch(self, asked: Asked) -> None:
        """Let a key open another account from now on."""
        keys, key = self._simulator.keys, str(asked["key"])
        if key not in keys:
            raise ControlError(f"key: there is none {key}")
        keys[key] = replace(keys[key], account=self.account(str(asked["account"])).id)

    def _named(self, asked: Asked) -> Account:
        return self.account(str(asked.get("account", ALPACA)))

    def _holders(self, symbol: str) -> list[Account]:
        accounts = self._simulator.exchange.state.accounts.values()
        return [each for each in accounts if each.face == ALPACA and each.balance(symbol)]

    def _order(self, asked: Asked) -> Order:
        wanted = str(asked["order"])
        for order in reversed(self._simulator.exchange.state.orders.values()):
            if wanted in (order.id, order.client_order_id):
                return order
        raise ControlError(f"order: there is none with the id {wanted}")

    def _execution(self, asked: Asked) -> Execution:
        wanted = str(asked["execution"])
        for execution in self._simulator.exchange.state.executions:
            if wanted == execution.id:
                return execution
        raise ControlError(f"execution: there is none with the id {wanted}")

    def _adjust(self, order: Order, ratio: Decimal) -> None:
        exchange = self._simulator.exchange
        limit, stop = (
            None if price is None else str(round(price / ratio, 2)) for price in (order.limit_price, order.stop_price)
        )
        exchange.record(
            "adjust",
            order=order.id,
            at=iso(exchange.now()),
            quantity=str(order.filled + order.left * ratio),
            limit_price=limit,
            stop_price=stop,
        )

    def _done(
        self, account: Account, symbol: str, side: str, quantity: Decimal, price: Decimal, what: str
    ) -> dict[str, Any]:
        """Book an order that is not the system's, and fill it."""
        exchange = self._simulator.exchange
        pair = exchange.pairs.get(symbol)
        if (account.face == ALPACA and symbol not in exchange.assets) or (account.face == BINANCE and pair is None):
            raise ControlError(f"symbol: account {account.number} cannot trade {symbol}")
        order = exchange.book(
            {
                "account": account.id,
                "client_order_id": f"{what}-{len(exchange.state.orders) + 1}",
                "symbol": symbol,
                "base": pair.base if pair else symbol,
                "quote": pair.quote if pair else DOLLAR,
                "side": side,
                "type": "market",
                "time_in_force": "gtc" if pair else "day",
                "quantity": str(quantity),
                "limit_price": None,
                "stop_price": None,
                "status": "new",
                "wire": {"type": "MARKET", "asset_id": None if pair else exchange.assets[symbol].id},
            }
        )
        exchange.tell("new", order)
        execution = exchange.fill(order, quantity, price)
        return {"order": order.id, "execution": execution.id}


def _amount(given: Any, name: str) -> Decimal:
    value = Decimal(str(given))
    if not value.is_finite() or value <= 0:
        raise ControlError(f"{name}: it must be above zero, got {given}")
    return value
