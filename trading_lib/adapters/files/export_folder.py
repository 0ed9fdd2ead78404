"""A folder of exported tables: checked before the work begins; only an earlier export is overwritten."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from trading_lib.adapters.files.output_file import write_whole
from trading_lib.domain.errors import InputError

MANIFEST = "manifest.json"
KIND = "trading backtest export"


def check_export_folder(folder: Path) -> None:
    """Raise `InputError` when no export can go into ``folder``: a file, no rights, or files that are not its own."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file", "name a folder for the export")
    place = folder if folder.is_dir() else folder.resolve().parent
    if not place.is_dir():
        raise InputError(f"the folder {place} does not exist", "create it first")
    if not os.access(place, os.W_OK | os.X_OK):
        raise InputError(f"the folder {place} is not writable", "choose another one")
    if folder.is_dir():
        foreign = sorted({entry.name for entry in folder.iterdir()} - set(_own_files(folder)))
        if foreign:
            names = ", ".join(foreign[:3]) + " and others" * (len(foreign) > 3)
            raise InputError(
                f"{folder} holds files that are no export of a backtest ({names})", "name a new or empty folder"
            )


def write_export(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write the files, and remove what an earlier export left that is not among them."""
    check_export_folder(folder)
    folder.mkdir(exist_ok=True)
    earlier = _own_files(folder)
    # The manifest comes last: it speaks of files that are there.
    for name in sorted(files, key=lambda name: name == MANIFEST):
        write_whole(folder / name, files[name])
    for name in earlier:
        if name not in files:
            (folder / name).unlink(missing_ok=True)


def _own_files(folder: Path) -> list[str]:
    """Files that the folder's manifest says an earlier export wrote; none without a manifest of an export."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    if not isinstance(manifest, dict) or manifest.get("kind") != KIND:
        return []
    listed = manifest.get("files")
    names = list(listed) if isinstance(listed, dict) else []
    return [MANIFEST, *(name for name in names if isinstance(name, str) and Path(name).name == name)]
