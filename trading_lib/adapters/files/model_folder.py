"""A model as a folder: its description, its native files and nothing else; reading one runs none of it.

What is in the folder is looked at by name before anything is opened, and links are not followed.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trading_lib.adapters.files.output_file import write_whole
from trading_lib.domain.errors import InputError
from trading_lib.learning.registered import LARGEST_FILE, MOST_FILES, StoredModel, canonical
from trading_lib.learning.verification import TamperedModelError, require_described, require_genuine

DESCRIPTION = "description.json"
CERTIFICATE = "certificate.json"
LARGEST_DESCRIPTION = 4 * 1024**2
EXPORT = "export the model again (`trading model export`), and read nothing else from this folder"
KEYS = {"data_hash", "features", "files", "kind", "sha256"}


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A model that was read from a folder; its files are the listed ones.

    Attributes
    ----------
    certificate
        As it is written there; "" without one.
    """

    kind: str
    features: tuple[str, ...]
    digests: Mapping[str, str]
    sha256: str
    data_hash: str
    files: Mapping[str, bytes]
    certificate: str


def write_model_folder(folder: Path, model: StoredModel) -> list[Path]:
    """Write a version with its ``contents`` into a folder that is new or empty; return what was written.

    Raises
    ------
    InputError
        When there is anything in the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise InputError(f"{folder} is not empty", "name a new folder")
    require_genuine(model.described, model.files, model.contents)
    described = {
        "kind": model.kind,
        "features": list(model.features),
        "files": dict(model.files),
        "sha256": model.sha256,
        "data_hash": model.data_hash,
    }
    contents = {**model.contents, DESCRIPTION: (canonical(described) + "\n").encode()}
    if model.certificate:
        contents[CERTIFICATE] = model.certificate.encode()
    for name, content in sorted(contents.items()):
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        write_whole(path, content)
    return [folder / name for name in sorted(contents)]


def read_model_folder(folder: Path) -> ModelFolder:
    """Read a folder whose files are exactly those its description lists.

    Raises
    ------
    InputError
        When there is no such folder, or no description in it.
    TamperedModelError
        When something else is in it, a file is not as listed, or the description fits no model; names the file.
    """
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder}", "name the folder of an exported model")
    present = dict(_entries(folder, folder))
    if DESCRIPTION not in present:
        raise InputError(f"{folder} has no {DESCRIPTION}", "name the folder of an exported model")
    described = _description(folder, _content(folder / DESCRIPTION, LARGEST_DESCRIPTION))
    digests = described["files"]
    for name in sorted(present):
        if name not in (*digests, DESCRIPTION, CERTIFICATE):
            raise TamperedModelError(f"{folder / name} belongs to no model", EXPORT)
    what = f"the model in {folder}"
    features = tuple(described["features"])
    require_described(what, described["kind"], features, digests, described["sha256"])
    files = {name: _content(folder / name, LARGEST_FILE) for name in digests if name in present}
    require_genuine(what, digests, files)
    certificate = _content(folder / CERTIFICATE, LARGEST_DESCRIPTION).decode() if CERTIFICATE in present else ""
    return ModelFolder(
        described["kind"], features, digests, described["sha256"], described["data_hash"], files, certificate
    )


def _entries(folder: Path, top: Path, depth: int = 0) -> Iterator[tuple[str, int]]:
    """Names of all files below, with their sizes."""
    with os.scandir(folder) as entries:
        for number, entry in enumerate(sorted(entries, key=lambda found: found.name)):
            status = entry.stat(follow_symlinks=False)
            if number > 2 * MOST_FILES:
                raise TamperedModelError(f"{folder} has more files than any model", EXPORT)
            if stat.S_ISDIR(status.st_mode) and depth == 0:
                yield from _entries(Path(entry.path), top, depth + 1)
            elif stat.S_ISREG(status.st_mode):
                yield Path(entry.path).relative_to(top).as_posix(), status.st_size
            else:
                what = "a link" if stat.S_ISLNK(status.st_mode) else "no plain file"
                raise TamperedModelError(f"{entry.path} is {what}, which belongs to no model", EXPORT)


def _content(path: Path, most: int) -> bytes:
    """Read a plain file, and nothing that has taken its place since."""
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with open(handle, "rb") as file:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode) or status.st_size > most:
            raise TamperedModelError(f"{path} is no plain file of at most {most // 1024**2} MiB", EXPORT)
        return file.read(most)


def _description(folder: Path, content: bytes) -> dict[str, Any]:
    def fail(problem: str) -> TamperedModelError:
        return TamperedModelError(f"{folder / DESCRIPTION} {problem}", EXPORT)

    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        raise fail("is no JSON") from None
    if not isinstance(found, dict) or set(found) != KEYS:
        raise fail(f"does not have the keys {', '.join(sorted(KEYS))}")
    texts = [found["kind"], found["sha256"], found["data_hash"]]
    if not isinstance(found["features"], list) or not isinstance(found["files"], dict):
        raise fail("names no features or files")
    texts += [*found["features"], *found["files"].values()]
    if not all(isinstance(text, str) for text in texts):
        raise fail("has a name or a hash that is no text")
    return found
