"""A user's broker whose errors are reported by kind and line only: their texts could contain a key.

Input: a broker of a user's own. Output: the same, which raises errors of this project only.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any

from trading_lib.adapters.user_code.error_place import kind_and_line
from trading_lib.domain.errors import BrokerUnavailableError, TradingError


class GuardedBroker:
    """Everything of ``broker``; what one of its coroutines raises becomes a `BrokerUnavailableError`.

    Parameters
    ----------
    reference
        How the configuration names it.
    """

    def __init__(self, broker: Any, reference: str) -> None:
        self._broker, self._reference = broker, reference

    def __getattr__(self, name: str) -> Any:
        """Return the broker's own, guarded where it is a coroutine."""
        attribute = getattr(self._broker, name)
        return self._guarded(attribute) if inspect.iscoroutinefunction(attribute) else attribute

    def _guarded(self, method: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        @wraps(method)
        async def call(*arguments: Any) -> Any:
            try:
                return await method(*arguments)
            except TradingError:
                raise
            except Exception as error:
                raise BrokerUnavailableError(
                    f"broker {self._reference} failed in {method.__name__} ({kind_and_line(error)})",
                    "correct its class, see docs/operations/brokers.md",
                ) from None

        return call
