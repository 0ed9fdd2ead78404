"""Intermediate results of a training between the tasks of a DAG: files below the project's home, each written whole."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trading_lib.adapters.files.output_file import write_whole
from trading_lib.domain.errors import InputError
from trading_lib.domain.market.prices import FloatArray
from trading_lib.learning.config import LearningConfig
from trading_lib.learning.dataset import Dataset
from trading_lib.learning.evidence.nulls import Null, NullTest
from trading_lib.learning.splits.out_of_sample import OutOfSample
from trading_lib.workflows.learning.training.steps import Prepared, Scores, prepared
from trading_lib.workflows.setup.settings import Settings

FOLDER = "trainings"
TEXTS = ("features", "symbols")
TreeScores = Mapping[str, tuple[FloatArray, FloatArray]]


class TrainingFiles:
    """Files of one training.

    Parameters
    ----------
    training
        Its id.
    """

    def __init__(self, settings: Settings, training: str) -> None:
        self._home, self._training = settings.folders.closed(FOLDER), training
        self.folder = self._home / training

    def begin(self, ready: Prepared) -> None:
        """Keep what all tasks work on; files of trainings that were left unfinished are removed."""
        for folder in self._home.iterdir():
            shutil.rmtree(folder, ignore_errors=True)
        self.folder.mkdir(mode=0o700)
        arrays = {f.name: getattr(ready.full, f.name) for f in fields(Dataset)}
        self._write("dataset", {name: np.array(value) for name, value in arrays.items()})
        about = {
            "config": ready.config.model_dump(mode="json"),
            "data_source": ready.data_source,
            "simulated": ready.simulated,
            "notes": list(ready.notes),
        }
        self.write_json("prepared", about)

    def prepared(self) -> Prepared:
        """Read what all tasks work on."""
        arrays: dict[str, Any] = dict(self._read("dataset"))
        arrays |= {name: tuple(str(text) for text in arrays[name]) for name in TEXTS}
        about = self.read_json("prepared")
        config = LearningConfig.model_validate(about["config"])
        return prepared(Dataset(**arrays), config, about["data_source"], about["simulated"], tuple(about["notes"]))

    def write_split(self, number: int, scores: TreeScores) -> None:
        """Keep the scores of a split's trees, of its test and its training rows."""
        parts = {f"{kind}.{part}": one for kind, both in scores.items() for part, one in zip("01", both, strict=True)}
        self._write(f"split-{number}", parts)

    def read_split(self, number: int) -> TreeScores:
        """Read what `write_split` kept."""
        found = self._read(f"split-{number}")
        kinds = dict.fromkeys(name.rpartition(".")[0] for name in found)
        return {kind: (found[f"{kind}.0"], found[f"{kind}.1"]) for kind in kinds}

    def write_scores(self, scores: Scores) -> None:
        """Keep the scores out of sample."""
        for name, found in (("crossed", scores.crossed), ("ahead", scores.ahead)):
            parts = {f"{kind}.{part}": getattr(one, part) for kind, one in found.items() for part in ("paths", "train")}
            self._write(name, parts)

    def read_scores(self) -> Scores:
        """Read what `write_scores` kept."""
        return Scores(*(_out_of_sample(self._read(name)) for name in ("crossed", "ahead")))

    def write_null(self, null: Null, tests: Mapping[str, NullTest]) -> None:
        """Keep the null tests of every kind."""
        values = {kind: {"p": one.p_value, "ic": one.observed, "ics": one.ics.tolist()} for kind, one in tests.items()}
        self.write_json(f"null-{null}", values)

    def read_nulls(self) -> dict[Null, dict[str, NullTest]]:
        """Read the null tests of every null and kind."""
        return {
            null: {
                kind: NullTest(one["p"], one["ic"], np.array(one["ics"]))
                for kind, one in self.read_json(f"null-{null}").items()
            }
            for null in Null
        }

    def write_json(self, name: str, value: Mapping[str, Any] | Sequence[Any]) -> None:
        """Keep plain values."""
        write_whole(self.folder / f"{name}.json", json.dumps(value).encode())

    def read_json(self, name: str) -> Any:
        """Read plain values."""
        return json.loads(self._content(f"{name}.json"))

    def remove(self) -> None:
        """Remove all of it."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _write(self, name: str, arrays: Mapping[str, NDArray[Any]]) -> None:
        buffer = io.BytesIO()
        np.savez(buffer, allow_pickle=False, **arrays)
        write_whole(self.folder / f"{name}.npz", buffer.getvalue())

    def _read(self, name: str) -> dict[str, NDArray[Any]]:
        with np.load(io.BytesIO(self._content(f"{name}.npz")), allow_pickle=False) as found:
            return dict(found)

    def _content(self, name: str) -> bytes:
        path = self.folder / name
        if not path.exists():
            raise InputError(
                f"training {self._training} has no file {path}", "clear the run's first task, so that it begins again"
            )
        return Path(path).read_bytes()


def _out_of_sample(parts: Mapping[str, FloatArray]) -> dict[str, OutOfSample]:
    kinds = dict.fromkeys(name.rpartition(".")[0] for name in parts)
    return {kind: OutOfSample(parts[f"{kind}.paths"], parts[f"{kind}.train"]) for kind in kinds}
