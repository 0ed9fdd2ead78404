"""Processes that fit models: each ends with the process that asked for it, and not before."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import Any

from trading_lib.domain.errors import TradingError


@contextmanager
def worker_pool(
    processes: int, receive: Callable[..., None], shared: tuple[Any, ...], died: str
) -> Iterator[ProcessPoolExecutor]:
    """Start processes that each receive once what all of their work has in common.

    Parameters
    ----------
    died
        What is said when one of them dies.

    Raises
    ------
    TradingError
        When one dies.
    """
    # Spawned, never forked: the libraries may have started threads here, and a fork would inherit their locks.
    pool = ProcessPoolExecutor(processes, multiprocessing.get_context("spawn"), _begin, (receive, shared))
    try:
        yield pool
    except BrokenProcessPool:
        raise TradingError(died, "free some memory, or train with --processes 1") from None
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _begin(receive: Callable[..., None], shared: tuple[Any, ...]) -> None:
    serve_the_parent()
    receive(*shared)


def serve_the_parent() -> None:
    """Leave Ctrl-C to the parent, which it reaches as well, and end when the parent was killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
