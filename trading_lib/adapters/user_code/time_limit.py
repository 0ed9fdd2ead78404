"""A time limit on a user's code.

In the main thread it is a timer signal, elsewhere an exception that a watching thread raises in the limited one. Both
take effect between two steps of Python: a loop inside compiled code is not interrupted. A timer that was running
before, such as a task's own time limit, goes on and may end the code first.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

# Code that catches everything is interrupted again and again, and after so many times the process ends.
REPEAT_SECONDS = 0.1
INTERRUPTIONS = 100
_end_process = os._exit


class TimeExceededError(BaseException):
    """Raised in the limited code; no `Exception`, for code may catch those in its loop."""


@contextmanager
def time_limit(seconds: float, name: str) -> Iterator[None]:
    """Raise `TimeExceededError` in the block after ``seconds``; ``name`` is told where it cannot be stopped."""
    if threading.current_thread() is threading.main_thread() and hasattr(signal, "setitimer"):
        with _by_signal(seconds, name):
            yield
    else:
        with _by_thread(seconds, name):
            yield


@contextmanager
def _by_signal(seconds: float, name: str) -> Iterator[None]:
    started, armed, rung = time.monotonic(), True, 0
    outer = repeat = 0.0

    def ring(number: int, frame: FrameType | None) -> None:
        nonlocal rung
        if not armed:
            return
        if outer and time.monotonic() - started >= outer and outer < seconds:
            if callable(before):
                before(number, frame)
            return
        rung += 1
        if rung > INTERRUPTIONS:
            _give_up(name)
        raise TimeExceededError

    before: Any = signal.signal(signal.SIGALRM, ring)
    outer, repeat = signal.setitimer(signal.ITIMER_REAL, seconds, REPEAT_SECONDS)
    if outer and outer < seconds:
        signal.setitimer(signal.ITIMER_REAL, outer, REPEAT_SECONDS)
    try:
        try:
            yield
        finally:
            armed = False
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL if before is None else before)
        if outer:
            signal.setitimer(signal.ITIMER_REAL, max(outer - (time.monotonic() - started), 1e-3), repeat)


@contextmanager
def _by_thread(seconds: float, name: str) -> Iterator[None]:
    limited, begun, done, lock = threading.get_ident(), threading.Event(), threading.Event(), threading.Lock()
    rung = 0

    def watch() -> None:
        nonlocal rung
        wait = seconds
        # Not before the block below is entered: an interruption outside it would find nobody to take it.
        begun.wait()
        while not done.wait(wait):
            with lock:
                if done.is_set():
                    return
                rung += 1
                if rung > INTERRUPTIONS:
                    _give_up(name)
                _raise_in(limited, TimeExceededError)
            wait = REPEAT_SECONDS

    watcher = threading.Thread(target=watch, daemon=True, name="time limit")
    watcher.start()
    try:
        begun.set()
        yield
    finally:
        _stop(done, lock, lambda: rung > 0)


def _stop(done: threading.Event, lock: threading.Lock, rung: Callable[[], bool]) -> None:
    """End the watch; an interruption that arrives meanwhile is too late, and must not keep the watch alive."""
    while True:
        try:
            done.set()
            with lock:
                if rung():
                    _take_pending()
            return
        except TimeExceededError:
            continue


def _take_pending() -> None:
    """Take what was raised in this thread and has not arrived yet: it must not arrive in our own code.

    Taking it back by ``PyThreadState_SetAsyncExc(thread, NULL)`` would leave CPython 3.11's note that something is
    pending where nothing is: every thread then runs slower for ever, and one that is traced, by a debugger or by
    coverage, never gets past the entry of the next function.
    """
    try:
        _raise_in(threading.get_ident(), TimeExceededError)
        while True:
            pass
    except TimeExceededError:
        return


def _raise_in(thread: int, error: type[BaseException]) -> None:
    """Raise it there between two steps of Python; one that is there already gives way to it."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(error))


def _give_up(name: str) -> None:
    print(f"error: {name} cannot be stopped: it catches the interruption and goes on; correct it", file=sys.stderr)
    sys.stderr.flush()
    _end_process(2)
