"""The worker of a parameter sweep, without a market."""

from __future__ import annotations


def waiting() -> None:
    """Begin a worker as a sweep does, without a market."""
    import threading

    from trading_lib.workflows.research.sweep.point import _end_with_parent

    threading.Thread(target=_end_with_parent, daemon=True).start()
