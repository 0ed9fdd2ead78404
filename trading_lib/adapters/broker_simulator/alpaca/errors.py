"""Alpaca's refusals, in its own codes and words."""

from __future__ import annotations

from typing import Any

from trading_lib.adapters.broker_simulator.messages import Reply, json_reply


class AlpacaRefusalError(Exception):
    """A request that Alpaca refuses.

    Parameters
    ----------
    more
        What else the answer holds.
    """

    def __init__(self, status: int, code: int, message: str, **more: Any) -> None:
        super().__init__(message)
        self.reply: Reply = json_reply({**more, "code": code, "message": message}, status)


def unauthorized() -> AlpacaRefusalError:
    """Refuse a key that is none."""
    return AlpacaRefusalError(401, 40110000, "request is not authorized")


def not_found(message: str) -> AlpacaRefusalError:
    """Refuse to show what is not there."""
    return AlpacaRefusalError(404, 40410000, message)


def malformed(message: str) -> AlpacaRefusalError:
    """Refuse what cannot be read."""
    return AlpacaRefusalError(422, 40010001, message)


def unprocessable(message: str, **more: Any) -> AlpacaRefusalError:
    """Refuse terms that make no order."""
    return AlpacaRefusalError(422, 42210000, message, **more)


def forbidden(message: str, **more: Any) -> AlpacaRefusalError:
    """Refuse what the account may not do."""
    return AlpacaRefusalError(403, 40310000, message, **more)
