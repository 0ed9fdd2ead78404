"""The audit's side of the processes in which strategies decide alone; see `child`."""

from __future__ import annotations

import errno
import os
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from types import TracebackType
from typing import IO, Any, Self

from trading_lib.adapters.user_code import guard, watch
from trading_lib.adapters.user_code.child import receive, send
from trading_lib.adapters.user_code.guard import FIRST_TIMES, Recipe
from trading_lib.domain.decision.sleeves import SleeveTarget
from trading_lib.domain.errors import StrategyFaultError
from trading_lib.domain.market.market_view import MarketView

# What a process needs to start and to compute as this one does; a strategy finds nothing else in its environment.
_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "VIRTUAL_ENV")
_KEPT_FAMILIES = ("NUMBA_", "OMP_", "OPENBLAS_", "MKL_", "PYTHON")
START_SECONDS = 300.0
PROFILED = 3.0


class StrategyProcess:
    """One strategy in a process of its own.

    Parameters
    ----------
    sealed
        Whether it can open no file, socket or process.
    """

    def __init__(self, recipe: Recipe, sealed: bool) -> None:
        self.newest: date | None = None
        self._recipe, self._seen = recipe, set[tuple[str, str, str]]()
        command = [sys.executable, "-m", "trading_lib.adapters.user_code.child"]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**_bare(os.environ), "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        self._started = False
        self.problem = ""
        self.opened = 0
        setup = {
            "path": list(sys.path),
            "reference": recipe.reference,
            "folder": recipe.folder,
            "options": recipe.options,
            # It is profiled there, which takes longer.
            "seconds": PROFILED * recipe.seconds,
            "sealed": sealed,
        }
        send(_pipe(self._process.stdin), setup)

    def ask(self, method: str, view: MarketView, *more: Any) -> Any:
        """Return the answer, or raise `StrategyFaultError` with what the strategy failed with."""
        if not self._started:
            self._started = True
            self.problem, acts, self.opened = self._receive(START_SECONDS)
            self._note(acts)
        self.newest = view.session
        try:
            send(_pipe(self._process.stdin), (method, replace(view), more))
            result, fault, acts, self.opened = self._receive(FIRST_TIMES * PROFILED * self._recipe.seconds + 60.0)
        except OSError as error:
            raise StrategyFaultError(f"its process ended ({error})") from None
        self._note(acts)
        if fault:
            self._note_refused(fault, view.session, acts)
            raise StrategyFaultError(fault)
        if result[0] == "plan":
            return result[1]
        weights, rationale, memory, events, hedges = result[1:]
        return SleeveTarget(weights, lambda: rationale, memory, events, hedges)

    def close(self) -> None:
        """End the process."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                try:
                    stream.close()
                except OSError:
                    continue
        self._process.kill()
        self._process.wait()

    def _receive(self, seconds: float) -> Any:
        stream = _pipe(self._process.stdout)
        until = time.monotonic() + seconds
        # An answer is written at once, so that what is readable is whole in a moment.
        if not select.select([stream], [], [], max(until - time.monotonic(), 0.0))[0]:
            self._process.kill()
            raise StrategyFaultError(f"its process gave no answer within {seconds:g} s")
        message = receive(stream)
        if message is None:
            raise StrategyFaultError(f"it ended its process (exit code {self._process.wait()})")
        return message

    def _note(self, acts: tuple[watch.Act, ...]) -> None:
        """Add what only this process sees; files and network are seen in the other one as well, and counted there."""
        for act in acts:
            key = (act.what, act.where, act.when)
            if act.kind in ("clock", "environment") and key not in self._seen:
                self._seen.add(key)
                watch.note(act)

    def _note_refused(self, fault: str, session: date, acts: tuple[watch.Act, ...]) -> None:
        """Note a file that a compiled library could not open here, for Python tells of none of those."""
        if os.strerror(errno.EMFILE).lower() not in fault.lower() or self.opened:
            return
        if any(act.kind in ("file", "network", "process", "database") for act in acts):
            return  # the hook has told of it
        paths = re.findall(r"'(/[^']+)'", fault)
        places = re.findall(r"\(([^()]+, line \d+)\)", fault)
        what = f"opened {paths[0]}" if paths else "opened a file or a socket"
        when = f"while it decided {session}"
        if not any(entry[0] == what for entry in self._seen):
            self._seen.add((what, "", ""))
            where = places[-1] if places else self._recipe.reference
            watch.note(watch.Act(self._recipe.reference, "file", f"{what} in compiled code", where, when))


class Alone:
    """Has strategies decide in processes of their own, where history ends with the session.

    Attributes
    ----------
    unsealed
        Strategies whose libraries open files of their own while they decide: their processes could not be sealed.
    """

    def __init__(self) -> None:
        self.unsealed: set[str] = set()
        self._processes: dict[tuple[str, str], StrategyProcess] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._processes.values():
            process.close()

    @contextmanager
    def deciding(self) -> Iterator[None]:
        """Let strategies decide there in this block."""
        guard.elsewhere = self._ask
        try:
            yield
        finally:
            guard.elsewhere = None

    def _ask(self, recipe: Recipe, method: str, view: MarketView, *more: Any) -> Any:
        process = self._process_for(recipe, view.session)
        result, fault = None, None
        try:
            result = process.ask(method, view, *more)
        except StrategyFaultError as error:
            fault = error
        if process.opened and recipe.reference not in self.unsealed:
            # A library wanted to open something of its own, such as a cache: a sealed process proves nothing then.
            self.unsealed.add(recipe.reference)
            self._drop(recipe)
            return self._process_for(recipe, view.session).ask(method, view, *more)
        if fault is not None:
            raise fault
        return result

    def _process_for(self, recipe: Recipe, session: date) -> StrategyProcess:
        key = (recipe.reference, repr(recipe.options))
        process = self._processes.get(key)
        # What it has seen already must not be later than what it is asked about.
        if process is not None and process.newest is not None and process.newest > session:
            self._drop(recipe)
            process = None
        if process is None:
            process = self._processes[key] = StrategyProcess(recipe, recipe.reference not in self.unsealed)
        return process

    def _drop(self, recipe: Recipe) -> None:
        process = self._processes.pop((recipe.reference, repr(recipe.options)), None)
        if process is not None:
            process.close()


def _bare(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name in _KEPT or name.startswith(_KEPT_FAMILIES)}


def _pipe(stream: IO[bytes] | None) -> Any:
    if stream is None:
        raise OSError("no pipe")
    return stream
