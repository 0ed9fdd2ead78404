"""What a training leaves: a report, and beside it a folder with its models' native files; both old, or both new."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trading_lib.adapters.files.output_file import check_writable, write_whole
from trading_lib.domain.errors import InputError
from trading_lib.learning.model import Model
from trading_lib.learning.models.learners import LEARNERS

ELSEWHERE = "name another report, or move it away"
# Within the folder that a training writes to before it publishes: its report, its models, and those before it.
REPORT, MODELS, BEFORE = "report.json", "models", "before"


class TrainingOutput:
    """The report's file, and the folder of models beside it.

    Parameters
    ----------
    out
        The report's file.
    """

    def __init__(self, out: Path) -> None:
        self.out = out
        self.folder = out.parent / f"{out.stem}-models"

    def check(self) -> None:
        """Raise `InputError` when either cannot be written, or the folder holds what no training wrote."""
        check_writable(self.out)
        if self.folder.is_symlink() or (self.folder.exists() and not self.folder.is_dir()):
            what = "a link" if self.folder.is_symlink() else "no folder"
            raise InputError(f"the models would be written to {self.folder}, which is {what}", ELSEWHERE)
        for folder in (self.out.parent, self.folder):
            if folder.exists() and not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
                raise InputError(f"the folder {folder} is not writable", "choose another one")
        foreign = sorted(set(os.listdir(self.folder)) - set(LEARNERS)) if self.folder.exists() else []
        if foreign:
            raise InputError(f"{self.folder / foreign[0]} would be lost, and no training wrote it", ELSEWHERE)

    @contextmanager
    def staged(self, models: Mapping[str, Model]) -> Iterator[StagedOutput]:
        """Write models aside, until `StagedOutput.publish` puts them in their place; without it they are removed."""
        self.check()
        self._clear()
        place = Path(tempfile.mkdtemp(dir=self.out.parent, prefix=self._prefix))
        try:
            yield StagedOutput(self, place, write_models(place / MODELS, models, self.folder))
        finally:
            self._leave(place)

    @property
    def _prefix(self) -> str:
        return f".{self.folder.name}.training-"

    def _clear(self) -> None:
        """Make whole what a training that died while it published left; remove what others that died had written."""
        for place in [path for path in self.out.parent.iterdir() if path.name.startswith(self._prefix)]:
            if (place / REPORT).exists() and not (place / MODELS).exists():
                os.replace(place / REPORT, self.out)
            self._leave(place)

    def _leave(self, place: Path) -> None:
        if (place / BEFORE).exists() and not self.folder.exists():
            os.rename(place / BEFORE, self.folder)
        shutil.rmtree(place, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class StagedOutput:
    """Models that are written, and in nobody's way.

    Attributes
    ----------
    artifacts
        ``path`` and ``sha256`` of each file, as they will lie there.
    """

    output: TrainingOutput
    place: Path
    artifacts: list[dict[str, str]]

    def publish(self, report: Mapping[str, Any]) -> None:
        """Put models and report, as JSON without NaN, in the place of those before; a failure leaves those."""
        folder, models = self.output.folder, self.place / MODELS
        write_whole(self.place / REPORT, json.dumps(report, indent=2, allow_nan=False).encode() + b"\n")
        if folder.exists():
            os.rename(folder, self.place / BEFORE)
        os.rename(models, folder)
        try:
            os.replace(self.place / REPORT, self.output.out)
        except BaseException:
            os.rename(folder, models)
            raise


def write_models(folder: Path, models: Mapping[str, Model], shown: Path | None = None) -> list[dict[str, str]]:
    """Write every file of every model below ``folder``, which is created; a model has a folder of its own.

    Parameters
    ----------
    shown
        Folder that is stated in its place.

    Returns
    -------
    list
        ``path`` and ``sha256`` of each file, in the order of models and then names.
    """
    written = []
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    for kind, model in models.items():
        for name, content in sorted(model.files().items()):
            path = folder / kind / name
            path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            write_whole(path, content)
            stated = (shown or folder) / kind / name
            written.append({"path": str(stated), "sha256": hashlib.sha256(content).hexdigest()})
    return written
