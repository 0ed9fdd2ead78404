"""Damages to a stored backup, by seed: what a disk, a person or another program may do to its two files."""

from __future__ import annotations

import hashlib
import io
import json
import random
import tarfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from trading_lib.monitoring.backup.manifest import BackupClass, read_manifest


@dataclass
class Stored:
    """One backup in a folder, and another one beside it whose parts may be swapped in.

    Attributes
    ----------
    options
        What the restore is asked for, beside the backup's id.
    """

    folder: Path
    other: Path
    wrong_key: Path
    random: random.Random
    options: dict[str, Any]

    @property
    def file(self) -> Path:
        return next(path for path in self.folder.iterdir() if path.name != "manifest.json")

    @property
    def manifest(self) -> Path:
        return self.folder / "manifest.json"

    def forge(self, **changes: Any) -> None:
        """Write the manifest anew, with its own hash right."""
        key = f"{self.folder.parent.name}/{self.folder.name}/manifest.json"
        stored = read_manifest(self.manifest.read_bytes(), key)
        self.manifest.write_bytes(replace(stored, **changes).written())

    def read(self) -> Any:
        return read_manifest(self.manifest.read_bytes(), f"{self.folder.parent.name}/{self.folder.name}/manifest.json")

    def fitting(self) -> dict[str, Any]:
        """Size and hash of the file as it is now."""
        content = self.file.read_bytes()
        return {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def flip_bit(stored: Stored) -> None:
    _flip(stored, stored.file, range(stored.file.stat().st_size))


def flip_bits(stored: Stored) -> None:
    for _ in range(20):
        _flip(stored, stored.file, range(stored.file.stat().st_size))


def flip_bit_of_manifest(stored: Stored) -> None:
    # Blanks of another kind are the same manifest.
    _flip(stored, stored.manifest, [i for i, byte in enumerate(stored.manifest.read_bytes()) if byte > 32])


def zero_block(stored: Stored) -> None:
    content = bytearray(stored.file.read_bytes())
    at = stored.random.randrange(len(content) // 2)
    while not any(content[at : at + 512]):
        at = stored.random.randrange(len(content) // 2)
    content[at : at + 512] = bytes(len(content[at : at + 512]))
    stored.file.write_bytes(content)


def truncate(stored: Stored) -> None:
    content = stored.file.read_bytes()
    stored.file.write_bytes(content[: stored.random.randrange(1, len(content))])


def empty(stored: Stored) -> None:
    stored.file.write_bytes(b"")


def lengthen(stored: Stored) -> None:
    with stored.file.open("ab") as file:
        file.write(stored.random.randbytes(stored.random.randrange(1, 5000)))


def lose_a_piece(stored: Stored) -> None:
    content = stored.file.read_bytes()
    at = stored.random.randrange(len(content) - 100)
    stored.file.write_bytes(content[:at] + content[at + stored.random.randrange(1, 100) :])


def remove(stored: Stored) -> None:
    stored.file.unlink()


def swap(stored: Stored) -> None:
    stored.file.write_bytes(next(p for p in stored.other.iterdir() if p.name != "manifest.json").read_bytes())


def swap_and_fit(stored: Stored) -> None:
    swap(stored)
    other = json.loads((stored.other / "manifest.json").read_text())
    stored.forge(**stored.fitting(), contents=other["contents"])


def cut_manifest(stored: Stored) -> None:
    content = stored.manifest.read_bytes()
    stored.manifest.write_bytes(content[: stored.random.randrange(len(content) - 1)])


def remove_manifest(stored: Stored) -> None:
    stored.manifest.unlink()


def manifest_of_another(stored: Stored) -> None:
    stored.manifest.write_bytes((stored.other / "manifest.json").read_bytes())


def edit_count(stored: Stored) -> None:
    record = json.loads(stored.manifest.read_text())
    record["tables"][stored.random.choice(sorted(record["tables"]))] += 1
    stored.manifest.write_text(json.dumps(record))


def edit_hash(stored: Stored) -> None:
    record = json.loads(stored.manifest.read_text())
    record["sha256"] = hashlib.sha256(stored.random.randbytes(8)).hexdigest()
    stored.manifest.write_text(json.dumps(record))


def other_format(stored: Stored) -> None:
    record = json.loads(stored.manifest.read_text())
    record["format"] = 2
    del record["manifest_sha256"]
    digest = hashlib.sha256(json.dumps(record, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
    stored.manifest.write_text(json.dumps(record | {"manifest_sha256": digest}))


def forge_count(stored: Stored) -> None:
    tables = dict(stored.read().tables)
    tables[stored.random.choice(sorted(tables))] += stored.random.choice((-1, 1))
    stored.forge(tables=tables)


def forge_sum(stored: Stored) -> None:
    sums = dict(stored.read().sums)
    name = stored.random.choice(sorted(sums))
    stored.forge(sums={**sums, name: str(int(sums[name]) + 1)})


def forge_hash(stored: Stored) -> None:
    stored.forge(sha256=hashlib.sha256(stored.random.randbytes(8)).hexdigest())


def forge_size(stored: Stored) -> None:
    stored.forge(size=stored.read().size + stored.random.choice((-512, -1, 1, 512)))


def forge_content_hash(stored: Stored) -> None:
    contents = dict(stored.read().contents)
    contents[stored.random.choice(sorted(contents))] = "0" * 64
    stored.forge(contents=contents)


def extra_file(stored: Stored) -> None:
    """The manifest does not name one of the packed files."""
    contents = dict(stored.read().contents)
    del contents[stored.random.choice(sorted(contents))]
    stored.forge(contents=contents)


def missing_file(stored: Stored) -> None:
    """The manifest names a file that is not packed."""
    stored.forge(contents={**stored.read().contents, "9999.dat.gz": "0" * 64})


def missing_table(stored: Stored) -> None:
    found = stored.read()
    name = stored.random.choice(sorted(found.tables))
    stored.forge(
        tables={k: v for k, v in found.tables.items() if k != name},
        sums={k: v for k, v in found.sums.items() if k != name},
    )


def unknown_schema(stored: Stored) -> None:
    stored.forge(schema_revision=f"9{stored.random.randrange(1000):03}")


def newer_server(stored: Stored) -> None:
    stored.forge(pg_version="99.1")


def other_database(stored: Stored) -> None:
    stored.forge(database=stored.random.choice(("airflow", "mlflow", "")))


def other_class(stored: Stored) -> None:
    stored.forge(kind=BackupClass.STATE)


def asked_for_another_database(stored: Stored) -> None:
    stored.options["database"] = "airflow"


def wrong_key(stored: Stored) -> None:
    stored.options["identity"] = stored.wrong_key


def no_key(stored: Stored) -> None:
    stored.options["identity"] = None


def said_not_to_be_encrypted(stored: Stored) -> None:
    stored.forge(encrypted_to=())


def repacked_with_a_stranger(stored: Stored) -> None:
    """Everything fits, but a file more lies in it, outside the folder it would be unpacked to."""
    with tarfile.open(stored.file, "a") as archive:
        member = tarfile.TarInfo("../../escaped")
        member.size = 4
        archive.addfile(member, io.BytesIO(b"evil"))
    digest = hashlib.sha256(b"evil").hexdigest()
    stored.forge(**stored.fitting(), contents={**stored.read().contents, "../../escaped": digest})


def repacked_with_a_broken_dump(stored: Stored) -> None:
    """Every hash fits; only the dump itself is broken, as by a fault before it was packed."""
    source, packed, contents = stored.file.read_bytes(), io.BytesIO(), {}
    with tarfile.open(fileobj=io.BytesIO(source)) as before, tarfile.open(fileobj=packed, mode="w") as after:
        members = [(member, _content(before, member)) for member in before]
        data = [i for i, (m, content) in enumerate(members) if m.name.endswith(".gz") and len(content) > 100]
        broken = stored.random.choice(data)
        for i, (member, content) in enumerate(members):
            if i == broken:
                at = len(content) // 2
                content = content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :]
            after.addfile(member, io.BytesIO(content))
            if member.name != "backup.json":
                contents[member.name] = hashlib.sha256(content).hexdigest()
    stored.file.write_bytes(packed.getvalue())
    stored.forge(**stored.fitting(), contents=contents)


Harm = Callable[[Stored], None]
BOTH: tuple[Harm, ...] = (
    flip_bit,
    flip_bits,
    flip_bit_of_manifest,
    zero_block,
    truncate,
    empty,
    lengthen,
    lose_a_piece,
    remove,
    swap,
    swap_and_fit,
    cut_manifest,
    remove_manifest,
    manifest_of_another,
    edit_count,
    edit_hash,
    other_format,
    forge_count,
    forge_sum,
    forge_hash,
    forge_size,
    forge_content_hash,
    extra_file,
    missing_file,
    missing_table,
    unknown_schema,
    newer_server,
    other_database,
    other_class,
    asked_for_another_database,
)
ENCRYPTED = (*BOTH, wrong_key, no_key, said_not_to_be_encrypted)
PLAIN = (*BOTH, repacked_with_a_stranger, repacked_with_a_broken_dump)


def _flip(stored: Stored, path: Path, places: Any) -> None:
    content = bytearray(path.read_bytes())
    content[stored.random.choice(places)] ^= 1 << stored.random.randrange(7)
    path.write_bytes(content)


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(member)
    assert file is not None
    return file.read()
