"""The process in which the lookahead audit lets a user's strategy decide alone.

It is given one session's view at a time, in ascending order, and holds nothing else of the market: there is no later
row to be found by any trick. It is sealed (`seal`), its environment is bare, and what it reads of the clock is
noted (`clock`).
"""

from __future__ import annotations

import importlib
import linecache
import os
import pickle
import struct
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, BinaryIO

from trading_lib.adapters.user_code import watch
from trading_lib.adapters.user_code.clock import note_written_clock, profile, watch_clock
from trading_lib.adapters.user_code.seal import Door, Finder

HEADER = struct.Struct("!Q")


def serve(incoming: BinaryIO, outgoing: BinaryIO) -> None:
    """Make the strategy, then answer requests until there are none."""
    from trading_lib.domain.errors import TradingError

    setup = receive(incoming)
    sys.path[:] = setup["path"]
    reference = setup["reference"]
    door = Door() if setup["sealed"] else None
    if door is not None:
        sys.meta_path.insert(0, Finder(door))
    watch.install()
    watch_clock()
    watch.profile = profile
    made: Any = None
    problem = ""
    try:
        made = make(setup, door)
    except TradingError as error:
        problem = str(error)
    send(outgoing, (problem, watch.acts_of({reference}), watch.allowed))
    while (request := receive(incoming)) is not None:
        method, view, more = request
        result, fault = None, problem
        if not problem:
            try:
                result = made.ask_here(method, view, *more)
            except TradingError as error:
                fault = str(error)
        send(outgoing, (portable(result), fault, watch.acts_of({reference}), watch.allowed))


def make(setup: dict[str, Any], door: Door | None) -> Any:
    """Load and construct the strategy with the door closed, but for the text of its own file."""
    from trading_lib.adapters.user_code.files import load_strategy
    from trading_lib.adapters.user_code.guard import guarded

    reference, folder = setup["reference"], setup["folder"]

    def opened() -> AbstractContextManager[None]:
        return door.open() if door is not None else nullcontext()

    with opened():
        remember_lines(reference, folder)
    loaded = load_strategy(reference, folder, opened=opened)
    if "numba" in sys.modules:
        # Its first compilation looks through all installed packages for extensions of it.
        with opened():
            importlib.import_module("numba.core.entrypoints").init_all()
    made = guarded(loaded.strategy, reference, folder, setup["seconds"])(**setup["options"])
    with opened():
        note_written_clock(reference, sys.modules[loaded.strategy.__module__])
    return made


def remember_lines(reference: str, folder: Path) -> None:
    """Keep the file's lines: a compiler or a warning asks for them, and could not read them later."""
    place = reference.partition(":")[0]
    if not place.endswith(".py") or not (folder / place).is_file():
        return
    text = (folder / place).read_text(encoding="utf-8")
    for path in (str(folder / place), os.path.relpath(folder / place)):
        linecache.cache[path] = (len(text), None, text.splitlines(keepends=True), path)


def portable(result: Any) -> Any:
    """Return the answer without functions: a target's words become what they say."""
    from trading_lib.domain.decision.sleeves import SleeveTarget

    if isinstance(result, SleeveTarget):
        return ("target", result.weights, dict(result.rationale()), result.memory, result.events, result.hedges)
    return ("plan", result)


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
