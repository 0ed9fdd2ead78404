"""Files of models are written as they are, each with its own hash."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trading_lib.workflows.learning.training.artifacts import write_models


@dataclass(frozen=True)
class Filed:
    """A model that is its files."""

    content: Mapping[str, bytes]

    def files(self) -> Mapping[str, bytes]:
        return self.content


def models() -> Any:
    one, two = Filed({"ridge.json": b"{}\n"}), Filed({"ensemble.json": b"[]\n", "ridge/ridge.json": b"{}\n"})
    return {"ridge": one, "ensemble": two}


def test_every_file_lies_where_it_says_with_the_hash_of_its_bytes(tmp_path: Path) -> None:
    written = write_models(tmp_path / "models", models())
    assert [Path(one["path"]).relative_to(tmp_path).as_posix() for one in written] == [
        "models/ridge/ridge.json",
        "models/ensemble/ensemble.json",
        "models/ensemble/ridge/ridge.json",
    ]
    for one in written:
        assert hashlib.sha256(Path(one["path"]).read_bytes()).hexdigest() == one["sha256"]
    assert written[0]["sha256"] != written[1]["sha256"]


def test_the_same_models_again_leave_the_same_files(tmp_path: Path) -> None:
    first = write_models(tmp_path, models())
    assert write_models(tmp_path, models()) == first
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == [
        "ensemble.json",
        "ridge.json",
        "ridge.json",
    ]
