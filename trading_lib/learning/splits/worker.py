"""What every process that fits models does first: it ends with the process that asked for it, and not before."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading


def serve_the_parent() -> None:
    """Leave Ctrl-C to the parent, which it reaches as well, and end when the parent was killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
