"""A model's folder holds the listed files and nothing else, or it is not read."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.environment.stored_models import FILES, model
from trading_lib.adapters.files.model_folder import CERTIFICATE, DESCRIPTION, read_model_folder, write_model_folder
from trading_lib.domain.errors import InputError
from trading_lib.learning.registered import file_digests, model_digest
from trading_lib.learning.verification import TamperedModelError

MEMBERS = {"ensemble.json": b"{}", "ridge/ridge.json": b"[]", "lightgbm/lightgbm.txt": b"tree"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_model_folder(tmp_path / "model", replace(model(), contents=FILES, certificate='{"a":1}\n'))
    return tmp_path / "model"


def describe(folder: Path, **changes: Any) -> None:
    content = json.loads((folder / DESCRIPTION).read_text())
    (folder / DESCRIPTION).write_text(json.dumps(content | changes))


def test_a_folder_comes_back_as_it_was_written(folder: Path, tmp_path: Path) -> None:
    found = read_model_folder(folder)
    assert (found.kind, found.features, found.sha256) == (model().kind, model().features, model().sha256)
    assert (found.files, found.digests, found.certificate) == (FILES, file_digests(FILES), '{"a":1}\n')
    members = replace(model(MEMBERS, kind="ensemble"), contents=MEMBERS)
    members = replace(members, sha256=model_digest("ensemble", members.features, members.files))
    written = write_model_folder(tmp_path / "ensemble", members)
    assert sorted(path.name for path in written) == [DESCRIPTION, "ensemble.json", "lightgbm.txt", "ridge.json"]
    assert read_model_folder(tmp_path / "ensemble").files == MEMBERS


def test_a_folder_with_something_in_it_is_not_written_to(folder: Path) -> None:
    with pytest.raises(InputError, match="is not empty"):
        write_model_folder(folder, replace(model(), contents=FILES))


def test_what_does_not_belong_to_the_model_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(TamperedModelError, match=r"has the file evil\.json, which it does not list"):
        write_model_folder(tmp_path / "new", replace(model(), contents={**FILES, "evil.json": b""}))


@pytest.mark.parametrize(
    "name",
    ["MLmodel", "model.pkl", "model.pth", "pytorch_model.bin", "code/__init__.py", "evil.py", "evil.json"],
)
def test_anything_beside_the_listed_files_is_refused_by_name(folder: Path, name: str) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("x")
    with pytest.raises(TamperedModelError, match=f"{name} belongs to no model"):
        read_model_folder(folder)


def _link(folder: Path) -> None:
    (folder / "model.json").rename(folder.parent / "elsewhere.json")
    (folder / "model.json").symlink_to(folder.parent / "elsewhere.json")


def _linked_folder(folder: Path) -> None:
    (folder / "ridge").symlink_to(folder.parent)


def _pipe(folder: Path) -> None:
    (folder / "model.json").unlink()
    os.mkfifo(folder / "model.json")


def _deep_folder(folder: Path) -> None:
    (folder / "a" / "b").mkdir(parents=True)


def _other_byte(folder: Path) -> None:
    (folder / "model.json").write_bytes(FILES["model.json"].replace(b"0.5", b"0.6"))


def _missing(folder: Path) -> None:
    (folder / "model.json").unlink()


def _other_features(folder: Path) -> None:
    describe(folder, features=["volatility", "momentum"])


def _other_kind(folder: Path) -> None:
    describe(folder, kind="os.system")


def _way_out(folder: Path) -> None:
    files = {"../model.json": "0" * 64}
    describe(folder, files=files, sha256=model_digest("ridge", model().features, files))


def _listed_pickle(folder: Path) -> None:
    (folder / "model.pkl").write_bytes(b"cos\nsystem\n.")
    files = file_digests({"model.pkl": b"cos\nsystem\n."})
    (folder / "model.json").unlink()
    describe(folder, files=files, sha256=model_digest("ridge", model().features, files))


def _no_json(folder: Path) -> None:
    (folder / DESCRIPTION).write_text("[" * 100_000)


def _other_keys(folder: Path) -> None:
    describe(folder, loader_module="evil")


def _numbers(folder: Path) -> None:
    describe(folder, features=[1, 2])


def _lists(folder: Path) -> None:
    describe(folder, files=["model.json"])


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (_link, r"model/model\.json is a link"),
        (_linked_folder, r"model/ridge is a link"),
        (_deep_folder, "model/a/b is no plain file"),
        (_pipe, r"model/model\.json is no plain file"),
        (_other_byte, r"the file model\.json of the model in .* has SHA-256"),
        (_missing, r"lacks its file model\.json"),
        (_other_features, "kind, features and files of the model in .* do not have its SHA-256"),
        (_other_kind, "is of the unknown kind 'os.system'"),
        (_way_out, "belongs to no model|is no native file"),
        (_listed_pickle, r"lists the file 'model\.pkl', which is no native file"),
        (_no_json, f"{DESCRIPTION} is no JSON"),
        (_other_keys, f"{DESCRIPTION} does not have the keys data_hash, features, files, kind, sha256"),
        (_numbers, f"{DESCRIPTION} has a name or a hash that is no text"),
        (_lists, f"{DESCRIPTION} names no features or files"),
    ],
)
def test_a_damaged_folder_is_refused_and_says_where(folder: Path, damage: Callable[[Path], None], problem: str) -> None:
    damage(folder)
    with pytest.raises(TamperedModelError, match=problem):
        read_model_folder(folder)


def test_a_folder_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no folder"):
        read_model_folder(tmp_path / "absent")
    with pytest.raises(InputError, match=f"has no {DESCRIPTION}"):
        read_model_folder(tmp_path)


def test_a_folder_without_a_certificate_has_none(folder: Path) -> None:
    (folder / CERTIFICATE).unlink()
    assert read_model_folder(folder).certificate == ""
