"""Opens folders of models in a process of its own, and writes down whatever Python is asked to run meanwhile.

Called with a folder that is genuine, which loads what opening needs, and then the folders to watch; prints JSON: folder
-> {"error": what it was refused with, "events": [what ran]}.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import trading_lib.workflows.learning.registry as registry
from trading_lib.domain.errors import InputError

# Running code, loading code, starting programs, unpickling, calling out.
WATCHED = ("exec", "compile", "import", "marshal.", "pickle.", "code.__new__", "function.__new__", "ctypes.", "socket.")
PROGRAMS = ("subprocess.", "os.system", "os.exec", "os.spawn", "os.posix_spawn", "os.fork")
CHANGES = ("os.remove", "os.rename", "os.mkdir", "os.link", "os.symlink", "os.chmod", "shutil.")
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def main(genuine: str, *folders: str) -> dict[str, dict[str, object]]:
    """Open each folder; those that could be opened say so."""
    registry.open_folder(Path(genuine))
    events: list[str] = []
    inside = Path("/")

    def watch(event: str, arguments: tuple[object, ...]) -> None:
        if event.startswith((*WATCHED, *PROGRAMS, *CHANGES)):
            events.append(f"{event} {arguments!r}"[:200])
        elif event == "open":
            path, flags = str(arguments[0]), arguments[2]
            # A file that is opened by its descriptor has a number for a name.
            own = path.isdigit() or Path(path).is_relative_to(inside)
            if not own or (isinstance(flags, int) and flags & WRITING):
                events.append(f"open {path} {flags}")

    sys.addaudithook(watch)
    found: dict[str, dict[str, object]] = {}
    for folder in folders:
        inside = Path(folder)
        events.clear()
        try:
            registry.open_folder(inside)
            error = ""
        except InputError as refused:
            error = str(refused)
        found[folder] = {"error": error, "events": list(events)}
    return found


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
