"""A lock in a file: one process at a time does something, and the others are told at once."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trading_lib.domain.errors import TradingError


@contextmanager
def alone(path: Path, otherwise: TradingError) -> Iterator[None]:
    """Hold the lock of ``path`` in the block, or raise ``otherwise`` when somebody else holds it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise otherwise from None
    try:
        yield
    finally:
        os.close(lock)
