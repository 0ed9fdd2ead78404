"""A port that nothing listens on."""

from __future__ import annotations

import socket

from trading_lib.adapters.services.ports import HOST, is_free


def free_port(preferred: int) -> int:
    """Return ``preferred`` if it is free, else any free port."""
    if is_free(preferred):
        return preferred
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((HOST, 0))
        number: int = probe.getsockname()[1]
        return number
