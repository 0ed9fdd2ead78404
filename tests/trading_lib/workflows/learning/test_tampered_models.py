"""Twelve models that somebody tampered with: each is refused, and not one instruction of theirs is run."""

from __future__ import annotations

import hashlib
import json
import pickle
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.builders.learning import synthetic_dataset
from tests.environment.stored_models import model
from trading_lib.adapters.files.model_folder import DESCRIPTION, write_model_folder
from trading_lib.learning.config import LearningConfig, LightgbmConfig, XgboostConfig
from trading_lib.learning.models.learners import make_learner
from trading_lib.learning.registered import file_digests, model_digest
from trading_lib.workflows.learning.registry import open_folder

FEW = LearningConfig(
    models=("ridge", "lightgbm", "xgboost", "ensemble"),
    lightgbm=LightgbmConfig(rounds=5),
    xgboost=XgboostConfig(rounds=5),
)
ML_MODEL = """
flavors:
  python_function:
    loader_module: evil
    python_model: python_model.pkl
    code: code
"""


class Bomb:
    """Unpickled, it runs a program that leaves a mark."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return exec, (f"open({str(self.mark)!r}, 'w').close()",)


def forge(folder: Path, files: dict[str, bytes], kind: str = "ridge") -> None:
    """Put other files into the place of the model's, and describe them as if they were genuine."""
    described = json.loads((folder / DESCRIPTION).read_text())
    for name in described["files"]:
        (folder / name).unlink()
    for name, content in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
    digests = file_digests(files)
    described |= {"kind": kind, "files": digests, "sha256": model_digest(kind, described["features"], digests)}
    (folder / DESCRIPTION).write_text(json.dumps(described))


def python_beside(folder: Path, mark: Path) -> None:
    (folder / "MLmodel").write_text(ML_MODEL)
    (folder / "evil.py").write_text(f"open({str(mark)!r}, 'w').close()\n")


def python_function(folder: Path, mark: Path) -> None:
    (folder / "MLmodel").write_text(ML_MODEL)
    (folder / "python_model.pkl").write_bytes(pickle.dumps(Bomb(mark)))


def code_folder(folder: Path, mark: Path) -> None:
    (folder / "code").mkdir()
    (folder / "code" / "__init__.py").write_text(f"open({str(mark)!r}, 'w').close()\n")


def pickle_beside(folder: Path, mark: Path) -> None:
    (folder / "model.pkl").write_bytes(pickle.dumps(Bomb(mark)))


def torch_beside(folder: Path, mark: Path) -> None:
    (folder / "model.pth").write_bytes(pickle.dumps(Bomb(mark)))
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Bomb(mark)))


def module_of_a_library(folder: Path, mark: Path) -> None:
    (folder / "json.py").write_text(f"open({str(mark)!r}, 'w').close()\n")


def pickle_in_the_place_of_the_model(folder: Path, mark: Path) -> None:
    (folder / "ridge.json").write_bytes(pickle.dumps(Bomb(mark)))


def pickle_described_as_genuine(folder: Path, mark: Path) -> None:
    forge(folder, {"ridge.json": pickle.dumps(Bomb(mark))})


def pickle_as_lightgbm(folder: Path, mark: Path) -> None:
    forge(folder, {"lightgbm.txt": pickle.dumps(Bomb(mark), protocol=0)}, "lightgbm")


def pickle_as_xgboost(folder: Path, mark: Path) -> None:
    forge(folder, {"xgboost.json": pickle.dumps(Bomb(mark))}, "xgboost")


def link_to_a_pickle(folder: Path, mark: Path) -> None:
    outside = folder.parent / f"{folder.name}.outside"
    outside.write_bytes(pickle.dumps(Bomb(mark)))
    (folder / "ridge.json").unlink()
    (folder / "ridge.json").symlink_to(outside)


def expression_for_a_number(folder: Path, mark: Path) -> None:
    content = json.loads((folder / "ridge.json").read_text())
    content["intercept"] = f"__import__('builtins').open({str(mark)!r}, 'w')"
    forge(folder, {"ridge.json": json.dumps(content).encode()})


TAMPERINGS: tuple[Callable[[Path, Path], None], ...] = (
    python_beside,
    python_function,
    code_folder,
    pickle_beside,
    torch_beside,
    module_of_a_library,
    pickle_in_the_place_of_the_model,
    pickle_described_as_genuine,
    pickle_as_lightgbm,
    pickle_as_xgboost,
    link_to_a_pickle,
    expression_for_a_number,
)


def write_genuine(folder: Path, kind: str = "ridge") -> None:
    """Write a folder of a model that was really trained."""
    data = synthetic_dataset(sessions=120, assets=9, features=5, ic=0.3)
    trained = make_learner(kind, FEW).fit(data, np.arange(len(data)), 7)
    files = dict(trained.files())
    digests = file_digests(files)
    stored = replace(
        model(),
        kind=kind,
        features=data.features,
        files=digests,
        sha256=model_digest(kind, data.features, digests),
        contents=files,
    )
    write_model_folder(folder, stored)


def watched(repository_root: Path, *folders: Path) -> dict[str, Any]:
    """Open folders in another process; the first is genuine."""
    command = [sys.executable, "-m", "tests.environment.watched_opening", *map(str, folders)]
    done = subprocess.run(command, cwd=repository_root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_twelve_tampered_models_run_no_code_and_leave_no_mark(tmp_path: Path, repository_root: Path) -> None:
    write_genuine(tmp_path / "genuine", "ensemble")
    mark = tmp_path / "mark"
    folders = []
    for tamper in TAMPERINGS:
        folder = tmp_path / tamper.__name__
        write_genuine(folder)
        before = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(folder.rglob("*.*")))).hexdigest()
        tamper(folder, mark)
        after = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(folder.rglob("*.*")))).hexdigest()
        assert before != after
        folders.append(folder)
    assert len(folders) == 12
    found = watched(repository_root, tmp_path / "genuine", *folders)
    assert {name: result["events"] for name, result in found.items()} == {str(folder): [] for folder in folders}
    assert [name for name, result in found.items() if not result["error"]] == []
    assert not mark.exists()


def test_the_watch_sees_what_a_loader_that_trusts_its_input_would_run(tmp_path: Path, repository_root: Path) -> None:
    write_genuine(tmp_path / "genuine")
    write_genuine(tmp_path / "pickled")
    mark = tmp_path / "mark"
    pickle_described_as_genuine(tmp_path / "pickled", mark)
    trusting = (
        "import pickle, sys, json, tests.environment.watched_opening as watched\n"
        "from pathlib import Path\n"
        "watched.registry.open_folder = lambda folder: pickle.loads((folder / 'ridge.json').read_bytes())"
        " if folder.name == 'pickled' else None\n"
        "print(json.dumps(watched.main(*sys.argv[1:])))"
    )
    command = [sys.executable, "-c", trusting, str(tmp_path / "genuine"), str(tmp_path / "pickled")]
    done = subprocess.run(command, cwd=repository_root, capture_output=True, text=True, check=True)
    ((_, result),) = json.loads(done.stdout).items()
    assert any(event.startswith("exec ") for event in result["events"])
    assert any(event.startswith("pickle.find_class") for event in result["events"])
    assert any(event.startswith(f"open {mark}") for event in result["events"])
    assert mark.exists()


@pytest.mark.parametrize("kind", ["ridge", "lightgbm", "xgboost", "ensemble"])
def test_a_genuine_model_of_every_kind_is_opened_and_scores_as_before(tmp_path: Path, kind: str) -> None:
    write_genuine(tmp_path / "model", kind)
    data = synthetic_dataset(sessions=120, assets=9, features=5, ic=0.3)
    trained = make_learner(kind, FEW).fit(data, np.arange(len(data)), 7)
    opened = open_folder(tmp_path / "model")
    arguments = (data.x[:90], data.features, data.row_session[:90])
    assert np.array_equal(opened.predict(*arguments), trained.predict(*arguments))


def test_a_prediction_loads_neither_mlflow_nor_shap_nor_skfolio(tmp_path: Path, repository_root: Path) -> None:
    write_genuine(tmp_path / "model", "ensemble")
    code = (
        "import sys, numpy\n"
        "from pathlib import Path\n"
        "from trading_lib.workflows.learning.registry import open_folder\n"
        "model = open_folder(Path(sys.argv[1]))\n"
        "scores = model.predict(numpy.zeros((15, len(model.features))), model.features)\n"
        "assert len(scores) == 15\n"
        "print([name for name in ('mlflow', 'shap', 'skfolio', 'sqlalchemy', 'airflow') if name in sys.modules])"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "model")]
    done = subprocess.run(command, cwd=repository_root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
