"""The native files of models, written into a folder with the SHA-256 of each."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from trading_lib.adapters.files.output_file import write_whole
from trading_lib.learning.model import Model


def write_models(folder: Path, models: Mapping[str, Model]) -> list[dict[str, str]]:
    """Write every file of every model below ``folder``, which is created; a model has a folder of its own.

    Returns
    -------
    list
        ``path`` and ``sha256`` of each file, in the order of models and then names.
    """
    written = []
    for kind, model in models.items():
        for name, content in sorted(model.files().items()):
            path = folder / kind / name
            path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
            write_whole(path, content)
            written.append({"path": str(path), "sha256": hashlib.sha256(content).hexdigest()})
    return written
