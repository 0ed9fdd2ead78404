"""The process in which the lookahead audit lets a user's strategy decide alone.

It is given one session's view at a time, in ascending order, and holds nothing else of the market: there is no later
row to be found by any trick. No file, socket or process can be opened in it either, whichever library tries, for its
limit of open files is zero except while a library is imported; and its environment is bare. What it reads of the clock
and the environment is noted by a profiler, for Python's audit hook does not tell.
"""

from __future__ import annotations

import ast
import datetime
import importlib
import importlib.machinery
import linecache
import os
import pickle
import struct
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from types import CodeType, FrameType, ModuleType
from typing import Any, BinaryIO

from trading_lib.adapters import strategy_watch as watch

HEADER = struct.Struct("!Q")
_ENVIRONMENT: frozenset[CodeType] = frozenset(
    {os._Environ.__getitem__.__code__, os._Environ.__iter__.__code__, os._Environ.copy.__code__}
)
_CLOCK_NAMES = frozenset({"time", "time_ns", "now", "utcnow", "today"})


class Door:
    """Keeps the limit of open files at zero; `open` lifts it for a while."""

    def __init__(self) -> None:
        import resource

        self._resource = resource
        _, self._hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        self._soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        self._depth = 0
        self._set(0)

    def _set(self, soft: int) -> None:
        self._resource.setrlimit(self._resource.RLIMIT_NOFILE, (soft, self._hard))

    @contextmanager
    def open(self) -> Iterator[None]:
        """Let files be opened in this block."""
        with watch.unwatched():
            self._depth += 1
            self._set(self._soft)
            # What a library does while it is imported is not looked at, and profiling it would take long.
            before = sys.getprofile()
            sys.setprofile(None)
        try:
            yield
        finally:
            with watch.unwatched():
                self._depth -= 1
                if not self._depth:
                    self._set(0)
                sys.setprofile(before)


class Finder(MetaPathFinder):
    """Finds modules as usual, and opens the door for the code of libraries only."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """See `MetaPathFinder`."""
        with self._door.open():
            for finder in sys.meta_path:
                if finder is self:
                    continue
                spec = finder.find_spec(fullname, path, target)
                if spec is not None:
                    if spec.loader is not None:
                        origin = spec.origin or ""
                        users = origin.endswith(".py") and watch.is_users(origin)
                        spec.loader = Opened(spec.loader, self._door, users)
                    return spec
        return None


class Opened(Loader):
    """A loader that reads with the door open; a module of the user's then runs with it closed."""

    def __init__(self, loader: Any, door: Door, users: bool) -> None:
        self._loader, self._door, self._users = loader, door, users

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType | None:
        """See `Loader`."""
        with self._door.open():
            made: ModuleType | None = self._loader.create_module(spec)
        return made

    def exec_module(self, module: ModuleType) -> None:
        """See `Loader`."""
        with self._door.open():
            code = self._loader.get_code(module.__name__) if self._users else None
            if code is None:
                self._loader.exec_module(module)
        if code is not None:
            exec(code, module.__dict__)  # noqa: S102 - what an import does


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
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            said = [a.value for a in node.args if isinstance(a, ast.Constant) and a.value in ("now", "today")]
            called = ast.unparse(node.func)
            if said and called.rpartition(".")[2] in ("datetime64", "to_datetime", "Timestamp", "array", "asarray"):
                found.append((f'read the clock ({called}("{said[0]}"))', f"{name}, line {node.lineno}"))
    return found


def serve(incoming: BinaryIO, outgoing: BinaryIO) -> None:
    """Make the strategy, then answer requests until there are none."""
    from trading_lib.adapters.strategy_files import load_strategy
    from trading_lib.adapters.strategy_guard import guarded
    from trading_lib.domain.errors import TradingError

    setup = receive(incoming)
    sys.path[:] = setup["path"]
    watch.install()
    if setup["sealed"]:
        door = Door()
        sys.meta_path.insert(0, Finder(door))
    watch_clock()
    watch.profile = profile
    made: Any = None
    problem = ""
    try:
        if setup["sealed"]:
            with door.open():
                source = read_source(setup["reference"], setup["folder"])
            if source is not None:
                # A compiler or a warning may ask for the strategy's own lines, and could not read them.
                lines = source[0].splitlines(keepends=True)
                for path in (source[2], os.path.relpath(source[2])):
                    linecache.cache[path] = (len(source[0]), None, lines, path)
            found = load_strategy(setup["reference"], setup["folder"], opened=door.open)
            if "numba" in sys.modules:
                # Its first compilation looks through all installed packages for extensions of it.
                with door.open():
                    importlib.import_module("numba.core.entrypoints").init_all()
        else:
            source = read_source(setup["reference"], setup["folder"])
            found = load_strategy(setup["reference"], setup["folder"])
        made = guarded(found.strategy, setup["reference"], setup["folder"], setup["seconds"])(**setup["options"])
        if source is not None:
            for what, where in written_clock(source[0], source[1]):
                watch.note(watch.Act(setup["reference"], "clock", what, where, "as its text says"))
    except TradingError as error:
        problem = str(error)
    send(outgoing, (problem, acts(setup["reference"]), watch.allowed))
    while (request := receive(incoming)) is not None:
        method, view, more = request
        answer, fault = None, problem
        if not problem:
            try:
                answer = made.ask_here(method, view, *more)
            except TradingError as error:
                fault = str(error)
        send(outgoing, (portable(answer), fault, acts(setup["reference"]), watch.allowed))


def acts(reference: str) -> tuple[watch.Act, ...]:
    """Return what the strategy did in this process."""
    return watch.acts_of({reference})


def portable(answer: Any) -> Any:
    """Return the answer without functions: a target's words become what they say."""
    from trading_lib.domain.sleeves import SleeveTarget

    if isinstance(answer, SleeveTarget):
        return ("target", answer.weights, dict(answer.words()), answer.memory, answer.events, answer.hedges)
    return ("plan", answer)


def read_source(reference: str, folder: Any) -> tuple[str, str, str] | None:
    """Text, name and path of the strategy's file; None for a module of a package."""
    place = reference.partition(":")[0]
    if not place.endswith(".py"):
        return None
    return (folder / place).read_text(encoding="utf-8"), (folder / place).name, str(folder / place)


def send(stream: BinaryIO, message: Any) -> None:
    """Write one message."""
    content = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
    stream.write(HEADER.pack(len(content)) + content)
    stream.flush()


def receive(stream: BinaryIO) -> Any:
    """Read one message; None where there are no more."""
    head = stream.read(HEADER.size)
    if len(head) < HEADER.size:
        return None
    return pickle.loads(stream.read(HEADER.unpack(head)[0]))  # noqa: S301 - what this system wrote


def main() -> None:
    """Talk on what were standard input and output; what the strategy prints goes nowhere."""
    incoming, outgoing = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    os.close(nowhere)
    serve(incoming, outgoing)


if __name__ == "__main__":
    main()
