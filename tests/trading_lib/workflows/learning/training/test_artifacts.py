"""Files of models are written as they are, each with its own hash."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from trading_lib.domain.errors import InputError
from trading_lib.workflows.learning.training import artifacts
from trading_lib.workflows.learning.training.artifacts import TrainingOutput, write_models


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


def written(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text(encoding="utf-8") for path in folder.rglob("*") if path.is_file()
    }


def publish(out: Path, report: dict[str, Any], models: Any) -> None:
    with TrainingOutput(out).staged(models) as staged:
        staged.publish(report)


OLD = {"x.json": '{\n  "of": "old"\n}\n', "x-models/lightgbm/model.txt": "old"}
NEW = {"x.json": '{\n  "of": "new"\n}\n', "x-models/ridge/ridge.json": "new"}


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """The report of an older training, whose models lie beside it."""
    publish(tmp_path / "x.json", {"of": "old"}, {"lightgbm": Filed({"model.txt": b"old"})})
    return tmp_path / "x.json"


def publish_new(out: Path) -> None:
    publish(out, {"of": "new"}, {"ridge": Filed({"ridge.json": b"new"})})


def test_models_of_kinds_before_do_not_stay_and_nothing_else_does(out: Path) -> None:
    assert written(out.parent) == OLD
    publish_new(out)
    assert written(out.parent) == NEW
    assert {path.name for path in out.parent.iterdir()} == {"x.json", "x-models"}


@pytest.mark.parametrize("step", range(5))
def test_a_training_that_cannot_write_leaves_the_pair_before(
    out: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """A file, the report, and each of the three renames fail."""
    fail_at(step, monkeypatch, OSError(28, "No space left on device"))
    with pytest.raises(OSError, match="No space left"):
        publish_new(out)
    monkeypatch.undo()
    assert written(out.parent) == OLD
    assert {path.name for path in out.parent.iterdir()} == {"x.json", "x-models"}


@pytest.mark.parametrize(("step", "left"), [(0, OLD), (1, OLD), (2, OLD), (3, OLD), (4, NEW)])
def test_what_a_killed_training_left_is_made_whole_by_the_next_even_if_that_fails(
    out: Path, monkeypatch: pytest.MonkeyPatch, step: int, left: dict[str, str]
) -> None:
    fail_at(step, monkeypatch, KeyboardInterrupt())
    monkeypatch.setattr(TrainingOutput, "_leave", lambda self, place: None)
    rename = artifacts.os.rename
    monkeypatch.setattr(artifacts.os, "rename", lambda a, b: None if b.name == "models" else rename(a, b))
    with pytest.raises(KeyboardInterrupt):
        publish_new(out)
    monkeypatch.undo()
    with TrainingOutput(out).staged({}):
        pass
    assert written(out.parent) == left
    assert {path.name for path in out.parent.iterdir()} == {"x.json", "x-models"}


def fail_at(step: int, monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """Let the writing or renaming with this number fail."""
    done: list[str] = []

    def counted(name: str, whole: Any) -> Any:
        def call(*given: Any) -> Any:
            done.append(name)
            if len(done) == step + 1:
                raise error
            return whole(*given)

        return call

    monkeypatch.setattr(artifacts, "write_whole", counted("write", artifacts.write_whole))
    renaming = SimpleNamespace(**{name: getattr(os, name) for name in ("access", "listdir", "R_OK", "W_OK", "X_OK")})
    renaming.rename, renaming.replace = counted("rename", os.rename), counted("replace", os.replace)
    monkeypatch.setattr(artifacts, "os", renaming)


@pytest.mark.parametrize("taken", ["file", "loop", "link", "foreign"])
def test_a_folder_that_cannot_be_of_the_models_is_refused(tmp_path: Path, taken: str) -> None:
    folder = tmp_path / "x-models"
    if taken == "file":
        folder.write_text("mine", encoding="utf-8")
    elif taken == "foreign":
        (folder / "letters").mkdir(parents=True)
    else:
        folder.symlink_to(folder if taken == "loop" else tmp_path)
    with pytest.raises(InputError, match=r"x-models.*: name another report, or move it away"):
        TrainingOutput(tmp_path / "x.json").check()
