"""`dataset.yaml`: which file of a data folder plays which role. Input: folder. Output: `DatasetManifest` or None.

::

    prices:
      - file: etf_daily.parquet
      - file: btc_daily.parquet
        where: {source: yahoo/market-lab}     # keep only rows with these values
        adjustment: split                     # what the prices are adjusted for: raw or split
        dividends: none                       # the vendor states none, and prices alone are wanted
    macro:
      - file: macro_series.parquet
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from trading_lib.domain.errors import DataFileError

MANIFEST_NAME = "dataset.yaml"
ROLES = ("prices", "cross_check", "macro", "funding", "cot", "news")
ENTRY_KEYS = ("file", "where", "adjustment", "dividends")
ADJUSTMENTS = ("raw", "split", "total_return")
TRADABLE_ADJUSTMENTS = ("raw", "split")


@dataclass(frozen=True, slots=True)
class ManifestEntry:
    """One file in one role.

    Attributes
    ----------
    where
        Column -> value a row must have to be used.
    adjustment
        What its prices are adjusted for, None when the manifest does not say.
    without_dividends
        Whether the manifest says that prices without dividends are wanted.
    """

    role: str
    path: Path
    where: Mapping[str, str] = field(default_factory=dict)
    adjustment: str | None = None
    without_dividends: bool = False


@dataclass(frozen=True, slots=True)
class DatasetManifest:
    """A parsed and checked manifest."""

    path: Path
    entries: tuple[ManifestEntry, ...]

    def role(self, name: str) -> tuple[ManifestEntry, ...]:
        """Entries of one role in the order of the file."""
        return tuple(entry for entry in self.entries if entry.role == name)


def read_manifest(folder: Path) -> DatasetManifest | None:
    """Read ``folder``'s manifest; None when it has none.

    Raises
    ------
    DataFileError
        Broken YAML, an unknown role or key, a value of the wrong kind, or a listed file that is not there.
    """
    path = folder / MANIFEST_NAME
    if not path.is_file():
        return None
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        detail = " ".join(str(error).split())
        raise DataFileError(f"{path} is not valid YAML ({detail})", "correct it or remove it") from None
    if not isinstance(content, dict) or not content:
        raise DataFileError(f"{path} holds no roles", f"list files under one of {', '.join(ROLES)}")
    entries: list[ManifestEntry] = []
    for role, listed in content.items():
        if role not in ROLES:
            raise DataFileError(f"{path}: unknown role {role!r}", f"use one of {', '.join(ROLES)}")
        if not isinstance(listed, list):
            raise DataFileError(f"{path}: role {role!r} is no list", "write one '- file: NAME' line per file")
        entries += [_entry(path, role, item) for item in listed]
    return DatasetManifest(path, tuple(entries))


def _entry(path: Path, role: str, item: Any) -> ManifestEntry:
    if not isinstance(item, dict) or not isinstance(item.get("file"), str):
        raise DataFileError(f"{path}: an entry of {role!r} names no file", "write '- file: NAME'")
    name = item["file"]
    for key in item:
        if key not in ENTRY_KEYS:
            raise DataFileError(
                f"{path}: unknown key {key!r} for {name} under {role!r}", f"use {', '.join(ENTRY_KEYS)}"
            )
    where = item.get("where") or {}
    if not isinstance(where, dict) or any(isinstance(value, (dict, list)) for value in where.values()):
        raise DataFileError(f"{path}: 'where' of {name} is no mapping", "write where: {column: value}")
    file = path.parent / name
    if not file.resolve().is_relative_to(path.parent.resolve()):
        raise DataFileError(f"{path}: {name} lies outside the folder", "list files of this folder only")
    if not file.is_file():
        raise DataFileError(
            f"{path} lists {name} under {role!r}, which does not exist", "add the file or the right name"
        )
    return ManifestEntry(
        role=role,
        path=file,
        where={str(column): str(value) for column, value in where.items()},
        adjustment=_adjustment(path, role, name, item.get("adjustment")),
        without_dividends=_without_dividends(path, name, item.get("dividends")),
    )


def _without_dividends(path: Path, name: str, value: Any) -> bool:
    if value not in (None, "none"):
        raise DataFileError(
            f"{path}: dividends {value!r} of {name} is unknown", "write dividends: none, or leave it out"
        )
    return value is not None


def _adjustment(path: Path, role: str, name: str, value: Any) -> str | None:
    allowed = TRADABLE_ADJUSTMENTS if role == "prices" else ADJUSTMENTS
    if value is None:
        return None
    if value in allowed:
        return str(value)
    raise DataFileError(
        f"{path}: adjustment {value!r} of {name} cannot be used under {role!r}", f"use {' or '.join(allowed)}"
    )
