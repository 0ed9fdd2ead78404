"""Python's audit events (PEP 578) as text: forbidden actions of a strategy, by kind."""

from __future__ import annotations

import os
from typing import Any

_FILE_EVENTS = frozenset(
    {"open", "mmap.__new__", "glob.glob", "glob.glob/2", "pathlib.Path.glob", "pathlib.Path.rglob"}
)
_FILE_FAMILIES = frozenset({"shutil", "tempfile"})
_PROCESS_EVENTS = frozenset(
    {
        "subprocess.Popen", "pty.spawn", "os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn",
        "os.startfile", "os.kill", "os.killpg", "signal.pthread_kill", "resource.setrlimit", "resource.prlimit",
    }
)  # fmt: skip
_NETWORK_FAMILIES = frozenset({"socket", "urllib"})
_MEMORY_EVENTS = {
    "gc.get_objects": "searched all objects in memory (gc.get_objects)",
    "gc.get_referrers": "searched memory by reference (gc.get_referrers)",
    "gc.get_referents": "searched memory by reference (gc.get_referents)",
    "sys._getframe": "looked at its callers' frames (sys._getframe)",
    "sys._current_frames": "looked at all threads' frames (sys._current_frames)",
}
_INTERPRETER_EVENTS = frozenset({"sys.settrace", "sys.setprofile", "sys.addaudithook"})


def describe_event(event: str, arguments: tuple[Any, ...]) -> tuple[str, str, str | None] | None:
    """Return kind, words, and the path of a file; None for an event that says nothing."""
    family, first = event.partition(".")[0], arguments[0] if arguments else ""
    if event in _MEMORY_EVENTS:
        return "memory", _MEMORY_EVENTS[event], None
    if event == "object.__getattr__":
        return ("memory", "looked at its callers' frames (tb_frame)", None) if arguments[1:] == ("tb_frame",) else None
    if event in _INTERPRETER_EVENTS:
        return "interpreter", f"changed the interpreter ({event})", None
    if event in _PROCESS_EVENTS:
        return "process", f"started or changed a process ({event} {_short(first)})".replace(" )", ")"), None
    if event in _FILE_EVENTS or family in _FILE_FAMILIES or (family == "os" and event != "os.putenv"):
        return _file(event, arguments)
    if family in _NETWORK_FAMILIES:
        address = arguments[1] if len(arguments) > 1 and family == "socket" else first
        return "network", f"used the network ({event} {_short(address)})", None
    if family == "sqlite3":
        return None if event != "sqlite3.connect" else ("database", f"opened the database {_short(first)}", None)
    if family == "ctypes":
        return "memory", f"read memory or called a library by ctypes ({event})", None
    if event in ("os.putenv", "os.unsetenv"):
        return "environment", f"changed the environment variable {_short(first)}", None
    return None


def _file(event: str, arguments: tuple[Any, ...]) -> tuple[str, str, str | None] | None:
    first = arguments[0] if arguments else ""
    if event == "mmap.__new__":
        return "file", "mapped a file into memory", None
    if isinstance(first, int):
        return None
    path = os.path.abspath(os.fsdecode(first)) if isinstance(first, bytes | str | os.PathLike) else ""
    if event != "open":
        return "file", f"looked at files ({event} {path})".replace(" )", ")"), path
    mode, flags = (*arguments[1:3], None, None)[:2]
    writes = any(letter in mode for letter in "wax+") if isinstance(mode, str) else bool((flags or 0) & 3)
    return "file", f"opened {path}{' to write' if writes else ''}", path


def _short(value: Any) -> str:
    text = os.fsdecode(value) if isinstance(value, bytes) else str(value)
    return text if len(text) <= 100 else text[:97] + "..."
