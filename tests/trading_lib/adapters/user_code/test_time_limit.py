"""A limit that interrupts Python code in any thread, and leaves timers and handlers as it found them."""

from __future__ import annotations

import inspect
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType

import pytest

from trading_lib.adapters.user_code.time_limit import TimeExceededError, time_limit

SHORT = 0.05


def spin() -> None:
    """Never end by itself."""
    while True:
        pass


def stubborn() -> int:
    """Swallow three interruptions, then give in."""
    swallowed = 0
    while swallowed < 3:
        try:
            spin()
        except TimeExceededError:
            swallowed += 1
    return swallowed


def in_thread(function: Callable[[], object]) -> str:
    """Print of the function's answer, or of what ended it, in a thread of a process that nothing traces."""
    script = f"""
import threading
from trading_lib.adapters.user_code.time_limit import TimeExceededError, time_limit
{inspect.getsource(spin)}
{inspect.getsource(stubborn)}
def call():
    try:
        with time_limit({SHORT}, "own"):
            print({function.__name__}())
    except TimeExceededError as error:
        print(type(error).__name__)
thread = threading.Thread(target=call)
thread.start()
thread.join(30)
print("alive" if thread.is_alive() else "ended", flush=True)
"""
    # The tracer of coverage takes the interruption that is meant for the traced loop.
    untraced = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    command = [sys.executable, "-c", script]
    return subprocess.run(command, env=untraced, capture_output=True, text=True, timeout=60, check=True).stdout


def test_a_loop_is_interrupted_in_the_main_thread() -> None:
    with pytest.raises(TimeExceededError), time_limit(SHORT, "own"):
        spin()


def test_a_loop_is_interrupted_in_any_other_thread() -> None:
    assert in_thread(spin).split() == ["TimeExceededError", "ended"]


def test_code_that_swallows_the_interruption_is_interrupted_again() -> None:
    with time_limit(SHORT, "own"):
        assert stubborn() == 3
    assert in_thread(stubborn).split() == ["3", "ended"]


def test_what_ends_in_time_is_left_alone_and_so_is_the_handler() -> None:
    before = signal.getsignal(signal.SIGALRM)
    with time_limit(60.0, "own"):
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 0
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGALRM) is before


def test_an_outer_timer_runs_on_and_rings_first_when_it_is_due_first() -> None:
    class OuterError(Exception):
        """A task's own time limit."""

    def ring(number: int, frame: FrameType | None) -> None:
        raise OuterError

    before = signal.signal(signal.SIGALRM, ring)
    try:
        signal.setitimer(signal.ITIMER_REAL, 60.0)
        with time_limit(5.0, "own"):
            pass
        assert 50.0 < signal.getitimer(signal.ITIMER_REAL)[0] <= 60.0
        signal.setitimer(signal.ITIMER_REAL, SHORT)
        with pytest.raises(OuterError), time_limit(60.0, "own"):
            spin()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("limit", [SHORT, 60.0])
def test_traced_threads_go_on_after_a_limit(limit: float) -> None:
    """CPython 3.11 let a traced function wait for ever at its entry for an interruption that was taken back."""
    script = f"""
import sys, threading
from trading_lib.adapters.user_code.time_limit import TimeExceededError, time_limit
def trace(*_):
    return trace
def nothing():
    pass
def call():
    try:
        with time_limit({limit}, "own"):
            while {limit == SHORT}:
                pass
    except TimeExceededError:
        pass
    sys.settrace(trace)
    nothing()
    print("on")
thread = threading.Thread(target=call, daemon=True)
thread.start()
thread.join()
sys.settrace(trace)
nothing()
print("and on", flush=True)
"""
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert ended.stdout.split("\n")[:2] == ["on", "and on"]


def test_code_that_was_interrupted_too_often_ends_the_process_with_a_word() -> None:
    script = (
        "from trading_lib.adapters.user_code import time_limit as t\n"
        "t.INTERRUPTIONS = 0\n"
        "with t.time_limit(0.01, 'strategy own.py:Own'):\n"
        "    while True: pass\n"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 2
    assert "strategy own.py:Own cannot be stopped" in ended.stderr


def test_time_spent_waiting_counts() -> None:
    started = time.monotonic()
    with pytest.raises(TimeExceededError), time_limit(SHORT, "own"):
        threading.Event().wait(30)
    assert time.monotonic() - started < 20
