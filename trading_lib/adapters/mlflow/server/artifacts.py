"""Artifacts confined to one folder: nothing outside is read or written, and no symbolic link is followed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mlflow.entities import FileInfo
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from mlflow.store.artifact import artifact_repository_registry
from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository

UPLOADING_PREFIX = ".artifact.uploading."


def confine_artifacts(root: Path) -> None:
    """Make ``root`` the only place this process finds artifacts in, whatever location a client has named.

    Every handler of MLflow's server, of a run, a model, a trace or an upload, gets its repository from this registry.
    """
    folder = root.resolve()

    def confined(artifact_uri: str, *rest: Any, **named: Any) -> ConfinedArtifacts:
        return ConfinedArtifacts(folder, artifact_uri, *rest, **named)

    registry = artifact_repository_registry._artifact_repository_registry
    for scheme in list(registry._registry):
        registry.register(scheme, confined if scheme in ("", "file") else _refuse)


class ConfinedArtifacts(LocalArtifactRepository):
    """A folder at or below ``root``.

    Raises
    ------
    MlflowException
        With INVALID_PARAMETER_VALUE (HTTP 400) for a folder elsewhere and for a path that leads over a link.
    """

    def __init__(self, root: Path, artifact_uri: str, *rest: Any, **named: Any) -> None:
        super().__init__(artifact_uri, *rest, **named)
        self._root = root
        self._require_inside(self.artifact_dir)

    def get_local_path(self, artifact_path: str) -> str:
        """Path of a file to send."""
        self._require_inside(os.path.join(self.artifact_dir, artifact_path))
        return str(super().get_local_path(artifact_path))

    def list_artifacts(self, path: str | None = None) -> list[Any]:
        """Files and folders below ``path``, links left out."""
        folder = Path(os.path.normpath(os.path.join(self.artifact_dir, path or "")))
        self._require_inside(folder)
        if not folder.is_dir():
            return []
        entries = [entry for entry in folder.iterdir() if not entry.is_symlink()]
        return [self._described(entry) for entry in sorted(entries) if not entry.name.startswith(UPLOADING_PREFIX)]

    def log_artifacts(self, local_dir: str, artifact_path: str | None = None) -> None:
        """Refuse: the server receives files one by one, and copying a folder would follow its links."""
        raise _refusal(f"a whole folder ({artifact_path})")

    def delete_artifacts(self, artifact_path: str | None = None) -> None:
        """Delete a file or a folder."""
        self._require_inside(os.path.join(self.artifact_dir, artifact_path or ""))
        super().delete_artifacts(artifact_path)

    def download_trace_data(self) -> dict[str, Any]:
        """Read the spans of a trace."""
        for entry in self._files():
            self._require_inside(entry)
        content: dict[str, Any] = super().download_trace_data()
        return content

    def _download_file(self, remote_file_path: str, local_path: str) -> None:
        self._require_inside(os.path.join(self.artifact_dir, remote_file_path))
        super()._download_file(remote_file_path, local_path)

    def _get_or_create_artifact_dir(self, artifact_path: str | None = None) -> str:
        # Every way of writing asks for its folder first.
        self._require_inside(os.path.join(self.artifact_dir, artifact_path or ""))
        return str(super()._get_or_create_artifact_dir(artifact_path))

    def _files(self) -> Iterator[Path]:
        folder = Path(self.artifact_dir)
        yield from folder.iterdir() if folder.is_dir() else ()

    def _described(self, entry: Path) -> Any:
        name = entry.relative_to(self.artifact_dir).as_posix()
        return FileInfo(name, entry.is_dir(), None if entry.is_dir() else entry.stat().st_size)

    def _require_inside(self, path: str | os.PathLike[str]) -> None:
        full = Path(os.path.abspath(path))
        if not full.is_relative_to(self._root):
            raise _refusal(str(path))
        for step in (full, *full.parents):
            if step == self._root:
                break
            if step.is_symlink():
                raise _refusal(str(path))


def _refuse(artifact_uri: str, *_rest: Any, **_named: Any) -> Any:
    raise _refusal(artifact_uri)


def _refusal(location: str) -> MlflowException:
    return MlflowException(
        f"artifacts are kept below this server's own folder and links are not followed; refused: {location[:200]}",
        error_code=INVALID_PARAMETER_VALUE,
    )
