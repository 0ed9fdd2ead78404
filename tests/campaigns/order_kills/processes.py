"""Processes that do a step of the daily run and are killed by SIGKILL at a named moment."""

from __future__ import annotations

import os
import pickle
import signal
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Engine

from tests.campaigns.order_kills.moments import watched

LONGEST_SECONDS = 120
Work = Callable[[], Any]
# Of a kill that is due at the so-and-so-many-th moment, whatever it is.
ANY = "any"


@dataclass(frozen=True)
class Kill:
    """When a process is killed: at the ``nth`` time of a moment."""

    moment: str
    nth: int = 1


@dataclass(frozen=True)
class Ended:
    """How a process ended.

    Attributes
    ----------
    killed
        Whether SIGKILL ended it.
    error
        What its step raised, "" where it came to its end.
    moments
        How often it came to each moment; of a killed process none is known.
    """

    killed: bool = False
    error: str = ""
    result: Any = None
    moments: Counter[str] = field(default_factory=Counter)


class Paused:
    """A process that does a step and waits when it comes to a moment, until it is told to go on."""

    def __init__(self, engine: Engine, step: Work, is_ours: Callable[[str], bool], moment: Kill) -> None:
        there, self._there = os.pipe()
        self._go, go = os.pipe()
        reading, writing = os.pipe()
        self.process = os.fork()
        if self.process == 0:  # pragma: no cover - the child never reports
            try:
                signal.alarm(LONGEST_SECONDS)
                os.close(reading)
                engine.dispose(close=False)
                with os.fdopen(writing, "wb") as told:
                    told.write(pickle.dumps(_done(step, is_ours, moment, lambda: self._pause())))
            finally:
                os._exit(0)
        for end in (writing, self._there, self._go):
            os.close(end)
        self._told, self._come, self._start = reading, there, go

    def _pause(self) -> None:
        os.write(self._there, b".")
        os.read(self._go, 1)

    def is_there(self) -> bool:
        """Wait until it has come to the moment; False when it ended before."""
        return os.read(self._come, 1) == b"."

    def go_on(self) -> Ended:
        """Let it go on, and wait for its end."""
        with suppress(BrokenPipeError):
            os.write(self._start, b".")
        with os.fdopen(self._told, "rb") as told:
            content = told.read()
        os.waitpid(self.process, 0)
        os.close(self._come), os.close(self._start)
        assert content, "a process ended and said nothing"
        ended: Ended = pickle.loads(content)
        return ended


def in_process(engine: Engine, step: Work, is_ours: Callable[[str], bool], kill: Kill | None = None) -> Ended:
    """Do a step in a process of its own, which is killed when its time has come; ``is_ours`` as of `watched`."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:  # pragma: no cover - the child never reports
        try:
            signal.alarm(LONGEST_SECONDS)
            os.close(reading)
            # The parent's connections are not this process's to use or to close.
            engine.dispose(close=False)
            with os.fdopen(writing, "wb") as told:
                told.write(pickle.dumps(_done(step, is_ours, kill)))
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as told:
        content = told.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL, f"a process ended by signal {os.WTERMSIG(status)}"
        return Ended(killed=True)
    assert content, "a process ended and said nothing"
    ended: Ended = pickle.loads(content)
    return ended


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _done(step: Work, is_ours: Callable[[str], bool], kill: Kill | None, there: Callable[[], None] = _die) -> Ended:
    moments: Counter[str] = Counter()

    def see(moment: str) -> None:
        moments[moment] += 1
        due = kill is not None and kill.moment in (moment, ANY)
        if kill is not None and due and kill.nth == (moments.total() if kill.moment == ANY else moments[moment]):
            there()

    with watched(see, is_ours):
        try:
            return Ended(result=step(), moments=moments)
        except Exception as error:
            return Ended(error=f"{type(error).__name__}: {error}", moments=moments)
