"""A process that can open no file, socket or process, except while it imports a library.

The limit of open files is zero, so that the operating system refuses, whichever language asks. What was open stays.
"""

from __future__ import annotations

import importlib.machinery
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from types import ModuleType
from typing import Any

from trading_lib.adapters.user_code import watch


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
