"""Loaded by every Python process that has this folder in PYTHONPATH: it writes down whom the process calls.

The database is reached over a file by a library in C, and is none of it.
"""

from __future__ import annotations

import os
import sys

WATCHED = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "socket.sendmsg")
_FILE = os.environ.get("AUDIT_FILE")

if _FILE:
    _HANDLE = os.open(_FILE, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    os.write(_HANDLE, f"process {os.getpid()}\n".encode())

    def _note(event: str, arguments: tuple[object, ...]) -> None:
        if event in WATCHED:
            told = arguments[1] if event == "socket.connect" else arguments[:2]
            os.write(_HANDLE, f"{event} {told}\n".encode())

    sys.addaudithook(_note)
