"""Whether a strategy reads the clock or the environment, which Python's audit hook does not report."""

from __future__ import annotations

import ast
import datetime
import linecache
import os
import sys
import time
from types import CodeType, FrameType, ModuleType
from typing import Any

from trading_lib.adapters.user_code import watch

_ENVIRONMENT: frozenset[CodeType] = frozenset(
    {os._Environ.__getitem__.__code__, os._Environ.__iter__.__code__, os._Environ.copy.__code__}
)
_CLOCK_NAMES = frozenset({"time", "time_ns", "now", "utcnow", "today"})


def profile(frame: FrameType, event: str, argument: Any) -> None:
    """Note calls that read the clock or the environment."""
    if event == "c_call":
        name = getattr(argument, "__name__", "")
        if name in _CLOCK_NAMES and _reads_clock(argument):
            watch.note_here("clock", f"read the clock ({_full_name(argument)})", frame, through_standard=False)
    elif event == "call" and frame.f_code in _ENVIRONMENT:
        key = frame.f_locals.get("key", "all of it")
        if not isinstance(key, str):
            return
        watch.note_here("environment", f"read the environment variable {key}", frame.f_back, by_libraries=False)


def _reads_clock(function: Any) -> bool:
    owner = getattr(function, "__self__", None)
    return owner is time or (isinstance(owner, type) and issubclass(owner, datetime.date))


def _full_name(function: Any) -> str:
    return f"{getattr(function.__self__, '__name__', '')}.{function.__name__}"


def watch_clock() -> None:
    """Note the clocks that no profiler sees: pandas', and those of `time` that are given nothing to convert."""
    import pandas as pd

    for name, given in (("localtime", 0), ("gmtime", 0), ("ctime", 0), ("asctime", 0), ("strftime", 1)):
        setattr(time, name, _noted(getattr(time, name), f"time.{name}", given))
    for name in ("now", "today", "utcnow"):
        setattr(pd.Timestamp, name, staticmethod(_noted(getattr(pd.Timestamp, name), f"pandas.Timestamp.{name}", 9)))


def _noted(function: Any, name: str, given: int) -> Any:
    def noted(*arguments: Any, **options: Any) -> Any:
        if len(arguments) <= given:
            with watch.unwatched():
                frame = sys._getframe(1)
            watch.note_here("clock", f"read the clock ({name})", frame, through_standard=False)
        return function(*arguments, **options)

    return noted


def written_clock(source: str, name: str) -> list[tuple[str, str]]:
    """Find calls such as ``np.datetime64("now")``, which only the text shows; what and where."""
    uses = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            said = [a.value for a in node.args if isinstance(a, ast.Constant) and a.value in ("now", "today")]
            called = ast.unparse(node.func)
            if said and called.rpartition(".")[2] in ("datetime64", "to_datetime", "Timestamp", "array", "asarray"):
                uses.append((f'read the clock ({called}("{said[0]}"))', f"{name}, line {node.lineno}"))
    return uses


def note_written_clock(reference: str, module: ModuleType) -> None:
    """Note what `written_clock` finds in the text of the strategy's module."""
    path = module.__file__
    text = linecache.getlines(path) if path else []
    for what, where in written_clock("".join(text), os.path.basename(path or "")):
        watch.note(watch.Act(reference, "clock", what, where, "as its text says"))
