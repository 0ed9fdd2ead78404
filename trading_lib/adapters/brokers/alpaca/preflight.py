"""What Alpaca would refuse, asked before anything is traded. Input: the connection, symbols. Output: findings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from trading_lib.adapters.brokers.alpaca.account import is_account, why_blocked
from trading_lib.adapters.brokers.alpaca.connection.client import AlpacaConnection
from trading_lib.adapters.brokers.alpaca.shapes import difference
from trading_lib.domain.errors import BrokerUnavailableError
from trading_lib.domain.market.instruments import Instrument
from trading_lib.execution.broker import BrokerSetting, Readiness

ACCOUNT, ANSWERS = "account", "answers"
# An attribute of partnerships whose sale costs foreigners a tax; orders for them need the account's consent.
PARTNERSHIP = "ptp_no_exception"


async def findings(connection: AlpacaConnection, setting: BrokerSetting, symbols: Sequence[str]) -> list[Readiness]:
    """Look at the account, at each symbol, and at the shape of Alpaca's answers.

    Raises
    ------
    BrokerUnavailableError
        When Alpaca cannot be asked.
    """
    account = _object(await connection.read("/account"), "account")
    configuration = _object(await connection.read("/account/configurations"), "configuration")
    problem = "" if is_account(account, setting.account) else "the key opens another account than `broker_account` says"
    problem = problem or why_blocked(account) or _suspended(configuration)
    found = [Readiness(ACCOUNT, problem, blocking=bool(problem))]
    traded = {instrument.symbol: instrument for instrument in setting.instruments}
    changes = [difference("account", account), difference("clock", _object(await connection.read("/clock"), "clock"))]
    for symbol in symbols:
        reply = await connection.look(f"/assets/{quote(symbol, safe='')}")
        if reply.status == 404:
            found.append(Readiness(symbol, f"Alpaca knows no asset {symbol}", blocking=True))
            continue
        asset = _object(reply.content if reply.fine else connection.refuse(reply, "/assets"), "asset")
        changes.append(difference("asset", asset))
        problem = next(_refusals(symbol, asset, configuration, traded.get(symbol)), "")
        found.append(Readiness(symbol, problem, blocking=bool(problem)))
    orders = await connection.read("/orders", {"status": "all", "limit": "1", "nested": "false"})
    if isinstance(orders, list) and orders and isinstance(orders[0], dict):
        changes.append(difference("order", orders[0]))
    # A change is no reason not to trade; that what is needed is there shows when it is read.
    found += [Readiness(ANSWERS, change) for change in dict.fromkeys(changes) if change]
    return found if any(changes) else [*found, Readiness(ANSWERS)]


def _suspended(configuration: Mapping[str, Any]) -> str:
    return "orders are suspended in the account's settings" if configuration.get("suspend_trade") is True else ""


def _refusals(
    symbol: str, asset: Mapping[str, Any], configuration: Mapping[str, Any], instrument: Instrument | None
) -> Iterator[str]:
    """Reasons why orders for an asset would be refused."""
    if asset.get("status", "active") != "active":
        yield f"{symbol} is {asset['status']} at Alpaca"
    if asset.get("tradable") is False:
        yield f"{symbol} cannot be traded at Alpaca"
    if asset.get("class", "us_equity") != "us_equity":
        yield f"{symbol} is no share or fund at Alpaca but {asset['class']}"
    if instrument is not None and instrument.lot_size % 1 != 0:
        if asset.get("fractionable") is False:
            yield f"{symbol} is traded in whole units at Alpaca: set its lot_size to 1 in universe.yaml"
        if configuration.get("fractional_trading") is False:
            yield f"{symbol} is traded in parts, which the account's settings at Alpaca forbid (fractional_trading)"
    attributes = asset.get("attributes")
    partnership = isinstance(attributes, list) and PARTNERSHIP in attributes
    if partnership and configuration.get("ptp_no_exception_entry") is not True:
        yield (
            f"{symbol} is a partnership (its sale is taxed for foreigners), and the account does not take such orders:"
            " set ptp_no_exception_entry in its settings at Alpaca, or retire it in universe.yaml"
        )


def _object(content: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(content, dict):
        raise BrokerUnavailableError(f"Alpaca's answer about the {what} cannot be read", "try again later")
    return content
