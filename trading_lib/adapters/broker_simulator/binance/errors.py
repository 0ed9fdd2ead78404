"""Binance's refusals, in its own codes and words."""

from __future__ import annotations

from trading_lib.adapters.broker_simulator.messages import Reply, json_reply


class BinanceRefusalError(Exception):
    """A request that Binance refuses."""

    def __init__(self, code: int, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.reply: Reply = json_reply({"code": code, "msg": message}, status)


def missing(parameter: str) -> BinanceRefusalError:
    """Refuse a request without something that it needs."""
    return BinanceRefusalError(-1102, f"Mandatory parameter '{parameter}' was not sent, was empty/null, or malformed.")


def filtered(name: str) -> BinanceRefusalError:
    """Refuse terms that a filter of the pair excludes."""
    return BinanceRefusalError(-1013, f"Filter failure: {name}")


def refused_order(message: str) -> BinanceRefusalError:
    """Refuse a new order."""
    return BinanceRefusalError(-2010, message)
