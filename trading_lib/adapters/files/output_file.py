"""Writing result files: checked before the work begins, and never half-written."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from trading_lib.domain.errors import InputError


def check_writable(path: Path) -> None:
    """Raise `InputError` when ``path`` cannot be written, before any work is spent on its content."""
    try:
        folder = path.resolve().parent
    except (OSError, RuntimeError):
        raise InputError(f"{path} is a link that leads to itself", "name a file") from None
    if path.is_dir():
        raise InputError(f"{path} is a folder", "name a file")
    if path.exists() and not path.is_file():
        # A file would take the place of the device or pipe: /dev/null of the whole machine would be one.
        raise InputError(f"{path} is no regular file", "name a file")
    if not folder.is_dir():
        raise InputError(f"the folder {folder} does not exist", "create it first")
    if not os.access(folder, os.W_OK):
        raise InputError(f"the folder {folder} is not writable", "choose another one")


def write_whole(path: Path, content: bytes) -> None:
    """Write the file in one step: readers see the old content or the new, never a part."""
    check_writable(path)
    handle, temporary = tempfile.mkstemp(dir=path.resolve().parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
