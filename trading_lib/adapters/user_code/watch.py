"""Watches a user's strategy for forbidden actions: files, network, processes, clock, memory searches.

Python tells an audit hook (PEP 578) of everything of that kind, whichever module does it. While a strategy's module is
imported, its class constructed or a session decided, the hook looks who asked: the innermost line that belongs to the
user. What a library does while it is imported is no act of the strategy, nor what it reads beside its own code.
"""

from __future__ import annotations

import os
import sys
import sysconfig
import zoneinfo
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from types import FrameType
from typing import Any

from trading_lib.adapters.user_code.events import describe_event

IMPORTED = "while its module was imported"
CONSTRUCTED = "while it was constructed"


@dataclass(frozen=True, slots=True)
class Act:
    """Something a strategy did that a decision may not rest on.

    Attributes
    ----------
    strategy
        As the sleeve names it.
    kind
        file, network, process, clock, environment, memory, database or interpreter.
    what
        In words, with the path or address.
    where
        File and line of the user's code.
    when
        Whether it was imported, constructed, or deciding, and then the first session.
    times
        How often.
    """

    strategy: str
    kind: str
    what: str
    where: str
    when: str
    times: int = 1


class _Owner(Enum):
    USER = "user"
    LIBRARY = "library"
    STANDARD = "standard"
    NOBODY = "nobody"


@dataclass(slots=True)
class _Watched:
    strategy: str
    when: str
    # Whose block is watched; what lies beyond is not the strategy's doing.
    outside: FrameType


_acts: dict[tuple[str, str, str, str], Act] = {}
_own_files: dict[str, str] = {}
_watched: _Watched | None = None
_busy = False
_installed = False
# In a process of its own a strategy is profiled as well, which tells of the clock and the environment.
profile: Callable[[FrameType, str, Any], None] | None = None
# How often a library opened something beside its own code that no finding comes of, e.g. a cache.
allowed = 0

_STANDARD = tuple(
    sorted({os.path.realpath(sysconfig.get_path(name)) + os.sep for name in ("stdlib", "platstdlib")} | {"<frozen "})
)
_LIBRARIES = tuple(
    {os.path.realpath(sysconfig.get_path(name)) + os.sep for name in ("purelib", "platlib")}
    | {str(Path(__file__).resolve().parents[2]) + os.sep}
)
_LOG = str(Path(__file__).resolve().parents[1] / "logs" / "structured.py")
_ZONES = tuple({os.path.realpath(path) + os.sep for path in zoneinfo.TZPATH})
_DEVICES = ("/dev/null", "/dev/urandom", "/dev/random")
_CODE = (".py", ".pyc", ".so", ".pyd", ".nbi", ".nbc")
# What tracebacks name of code that Cython compiled.
_COMPILED = (".pyx", ".pxi", ".pxd")
# What is typed into IPython or Python itself.
_CELLS = ("<ipython-input-", "<stdin>", "<python-input-")
_SOURCE_READERS = ("linecache.py", "tokenize.py", "inspect.py")


def install() -> None:
    """Add the hook to this process, once: Python removes none. It costs nothing while no strategy is at work."""
    global _installed
    if not _installed:
        _installed = True
        sys.addaudithook(_hook)


def belongs_to_user(path: str, strategy: str) -> None:
    """Count a file as the user's wherever it lies, and begin the strategy's record anew."""
    _own_files[os.path.realpath(path)] = strategy
    _owner_of.clear()
    for key in [key for key in _acts if key[0] == strategy]:
        del _acts[key]


def acts_of(strategies: set[str]) -> tuple[Act, ...]:
    """Return what these did since they were loaded, in the order in which it was first done."""
    return tuple(act for act in _acts.values() if act.strategy in strategies)


def note(act: Act) -> None:
    """Add an act, e.g. one that another process saw."""
    key = (act.strategy, act.what, act.where, " ".join(act.when.split()[:3]))
    count = _acts.get(key)
    if count is None:
        _acts[key] = act
    elif act.when not in (IMPORTED, CONSTRUCTED):
        _acts[key] = replace(count, times=count.times + act.times)


class Watching:
    """Notes what a strategy does in the block; ``when`` begins with "while"."""

    __slots__ = ("_before", "_strategy", "_when")

    def __init__(self, strategy: str, when: str) -> None:
        self._strategy, self._when = strategy, when

    def __enter__(self) -> None:
        global _watched
        self._before, _watched = _watched, None
        outside = sys._getframe(1)
        if profile is not None:
            sys.setprofile(profile)
        _watched = _Watched(self._strategy, self._when, outside)

    def __exit__(self, *_: object) -> None:
        global _watched
        _watched = self._before
        if profile is not None:
            sys.setprofile(None)


@contextmanager
def unwatched() -> Iterator[None]:
    """Leave out what the system itself does on a strategy's behalf."""
    global _busy
    before, _busy = _busy, True
    try:
        yield
    finally:
        _busy = before


def note_here(
    kind: str, what: str, frame: FrameType | None, through_standard: bool = True, by_libraries: bool = True
) -> None:
    """Note what the code of ``frame`` does, if a line of the user's is behind it.

    Parameters
    ----------
    through_standard
        Whether it counts when the standard library does it on the user's behalf.
    by_libraries
        Whether it counts when another library does.
    """
    watched = _watched
    if watched is None:
        return
    if not through_standard and frame is not None and _owner(frame.f_code.co_filename) is _Owner.STANDARD:
        return
    asked = _user_frame(frame, watched.outside)
    if asked is not None and (by_libraries or not asked[1]):
        _note(watched, kind, what, asked[0])


def _note(watched: _Watched, kind: str, what: str, frame: FrameType) -> None:
    where = f"{Path(frame.f_code.co_filename).name}, line {frame.f_lineno}"
    note(Act(watched.strategy, kind, what, where, watched.when))


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    global _busy
    watched = _watched
    if watched is None or _busy or event in _IGNORED:
        return
    _busy = True
    try:
        _judge(watched, event, arguments)
    finally:
        _busy = False


_IGNORED = frozenset({"import", "compile", "exec", "code.__new__", "marshal.loads", "object.__setattr__"})


def _judge(watched: _Watched, event: str, arguments: tuple[Any, ...]) -> None:
    described = describe_event(event, arguments)
    if described is None:
        return
    caller = sys._getframe(2)
    asked = _user_frame(caller, watched.outside)
    if asked is None:
        return
    frame, by_library = asked
    kind, what, path = described
    if path is not None and _may_read(path, caller, by_library):
        return
    if kind in ("memory", "interpreter") and (by_library or _harmless(event, caller)):
        return
    _note(watched, kind, what, frame)


def _user_frame(frame: FrameType | None, outside: FrameType) -> tuple[FrameType, bool] | None:
    """Return the innermost frame of the user's and whether a library stands between; None while one is imported."""
    by_library = False
    while frame is not None and frame is not outside:
        code = frame.f_code
        owner = _owner(code.co_filename)
        if owner is _Owner.USER:
            return frame, by_library
        if code.co_name == "_find_and_load" and code.co_filename.startswith("<frozen importlib"):
            return None
        if code.co_name == "emit" and code.co_filename == _LOG:
            # What a strategy says by Python's logging, the system writes to its own file.
            return None
        by_library = by_library or owner is _Owner.LIBRARY
        frame = frame.f_back
    return None


def _may_read(path: str, caller: FrameType, by_library: bool) -> bool:
    """Whether a library looks after itself here, or the code reads no more than its own text or a time zone."""
    global allowed
    real = os.path.realpath(path)
    by_itself = Path(caller.f_code.co_filename).name in _SOURCE_READERS and real.endswith(".py")
    cached = by_library and (f"{os.sep}__pycache__{os.sep}" in real + os.sep or real.endswith(_CODE))
    beside = by_library and (real.startswith((*_STANDARD, *_LIBRARIES, "/proc/", "/sys/", sys.prefix + os.sep)))
    zone = real.startswith(_ZONES) or f"{os.sep}tzdata{os.sep}" in real
    may = real in _own_files or real in _DEVICES or by_itself or cached or beside or zone
    allowed += may
    return may


def _harmless(event: str, caller: FrameType) -> bool:
    """Whether the standard library does it for a purpose of its own, such as naming the module of a namedtuple."""
    name = caller.f_code.co_filename
    return event in ("sys._getframe", "object.__getattr__") and (
        _owner(name) is _Owner.STANDARD and Path(name).name != "inspect.py"
    )


def _owner(filename: str) -> _Owner:
    owner = _owner_of.get(filename)
    if owner is None:
        owner = _owner_of[filename] = _owner_now(filename)
    return owner


def _owner_now(filename: str) -> _Owner:
    if filename.startswith("<frozen "):
        return _Owner.STANDARD
    if filename.startswith(_CELLS):
        return _Owner.USER
    if filename.startswith("<"):
        return _Owner.NOBODY
    if filename.endswith(_COMPILED):
        return _Owner.LIBRARY
    real = os.path.realpath(filename)
    if real in _own_files:
        return _Owner.USER
    # site-packages lies below the standard library.
    if real.startswith(_LIBRARIES):
        return _Owner.LIBRARY
    if real.startswith(_STANDARD):
        return _Owner.STANDARD
    return _Owner.USER


_owner_of: dict[str, _Owner] = {}


def is_users(filename: str) -> bool:
    """Whether a source file is neither Python's, a library's nor this system's."""
    return _owner(filename) is _Owner.USER
