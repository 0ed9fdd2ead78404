"""A message to several notifiers at once, in bounded time: none can fail or hold up whoever sends it."""

from __future__ import annotations

import threading
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator, Mapping
from dataclasses import dataclass
from typing import cast

from trading_lib.adapters.alerts.channels import ChannelError
from trading_lib.adapters.user_code.error_place import kind_and_line
from trading_lib.adapters.user_code.guard import NoExit
from trading_lib.domain.errors import ConfigurationError
from trading_lib.monitoring.notifier import Message, Notifier

# What a method written with `async` or `yield` answers before any of it has run.
BEGUN_LATER = (Awaitable, Generator, AsyncGenerator)


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of a message at a notifier; ``problem`` is "" where it was sent."""

    notifier: str
    problem: str = ""


def deliver(message: Message, notifiers: Mapping[str, Callable[[], Notifier]], seconds: float) -> tuple[Delivery, ...]:
    """Send a message, and give up after ``seconds`` what has not been sent; nothing is raised.

    Parameters
    ----------
    notifiers
        What creates each; it may raise `ConfigurationError`, and take its time.

    Notes
    -----
    Each notifier works in a thread of its own that nothing waits for: a call inside compiled code or to a network that
    does not answer cannot be interrupted, only left behind.
    """
    outcomes: dict[str, str] = {}
    threads = [
        threading.Thread(target=_send, args=(name, create, message, outcomes), daemon=True, name=f"notifier {name}")
        for name, create in notifiers.items()
    ]
    for thread in threads:
        thread.start()
    until = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(until - time.monotonic(), 0.0))
    late = f"send gave no answer within {seconds:g} s"
    return tuple(Delivery(name, outcomes.get(name, late)) for name in notifiers)


def attempt(create: Callable[[], Notifier], message: Message) -> str:
    """Send a message and wait as long as it takes; return what went wrong, "" where it was sent."""
    try:
        notifier = create()
    except ConfigurationError as error:
        return str(error)
    try:
        with NoExit():
            answer = cast(Callable[[Message], object], notifier.send)(message)
    except ChannelError as error:  # its text is made to be shown
        return f"send failed: {error}"
    except BaseException as error:  # an exit, too, is the notifier's failure alone
        return f"send failed: {kind_and_line(error)}"
    if isinstance(answer, Coroutine | Generator):
        answer.close()
    late = isinstance(answer, BEGUN_LATER)
    return f"send answers {type(answer).__name__}, so nothing was sent" if late else ""


def _send(name: str, create: Callable[[], Notifier], message: Message, outcomes: dict[str, str]) -> None:
    outcomes[name] = attempt(create, message)
