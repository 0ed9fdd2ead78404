"""Registered models as MLflow's registry shows them: a mirror of the database, which is the authority.

Versions are made from artifacts, without MLflow's model formats: nothing of them can be loaded by MLflow's loaders,
which run code that lies beside a model.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from trading_lib.adapters.files.model_folder import write_model_folder
from trading_lib.domain.errors import StorageUnavailableError
from trading_lib.learning.registered import RANKING, Alias, StoredModel, canonical

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

FOLDER = "registered"
# MLflow's own numbers may differ: it may have been away when a version was registered.
VERSION_TAG, SHA_TAG, DATA_TAG = "registry_version", "sha256", "data_hash"
# A candidate is every version that has no other alias.
MIRRORED = (Alias.CHALLENGER, Alias.CHAMPION)
# MLflow cuts longer tags, or refuses them.
LONGEST_TAG = 5000
ABOUT = (
    "Ranks the assets of the universe. The database of the system is the authority; `trading model status` shows where "
    "this registry differs from it."
)


@dataclass(frozen=True, slots=True)
class MirroredVersion:
    """A version as MLflow has it.

    Attributes
    ----------
    version
        Of the database.
    number
        MLflow's own.
    aliases
        Those it has in MLflow.
    """

    version: int
    number: int
    sha256: str
    aliases: frozenset[str]


class MlflowRegistry:
    """One registered model at one MLflow server.

    Raises
    ------
    StorageUnavailableError
        From every method when the server does not answer or refuses.
    """

    def __init__(self, tracking_uri: str, name: str = RANKING) -> None:
        self.tracking_uri = tracking_uri
        self.name = name

    def add(self, model: StoredModel, run_id: str, tags: Mapping[str, str]) -> int:
        """Register a version with its ``contents`` under the run it is from; return MLflow's number of it.

        The same version again is not registered twice.

        Parameters
        ----------
        run_id
            Of the training; the files become its artifacts.
        tags
            Shown beside the version.
        """
        with self._client("register a model") as client:
            for known in self._versions(client):
                if (known.version, known.sha256) == (model.version, model.sha256):
                    return known.number
            self._ensure(client)
            inside = f"{FOLDER}/{model.kind}"
            with tempfile.TemporaryDirectory() as folder:
                write_model_folder(Path(folder), model)
                client.log_artifacts(run_id, folder, inside)
            own = {VERSION_TAG: str(model.version), SHA_TAG: model.sha256, DATA_TAG: model.data_hash}
            own |= {"kind": model.kind, "features": canonical(list(model.features))}
            made = client.create_model_version(
                self.name,
                source=f"{client.get_run(run_id).info.artifact_uri}/{inside}",
                run_id=run_id,
                tags={name: value[:LONGEST_TAG] for name, value in {**tags, **own}.items()},
                description=f"{model.kind}, trained until {model.trained_until}",
                await_creation_for=0,
            )
            return int(made.version)

    def set_aliases(self, holders: Mapping[Alias, int | None]) -> None:
        """Give each alias to the version of the database that holds it, or to none.

        One whose version MLflow does not have is taken away.
        """
        with self._client("change aliases") as client:
            numbers = {known.version: known.number for known in self._versions(client)}
            if not numbers:
                return
            present = {str(alias): int(number) for alias, number in self._aliases(client).items()}
            for alias in MIRRORED:
                held = holders.get(alias)
                wanted = None if held is None else numbers.get(held)
                if wanted is None and str(alias) in present:
                    client.delete_registered_model_alias(self.name, str(alias))
                elif wanted is not None and present.get(str(alias)) != wanted:
                    client.set_registered_model_alias(self.name, str(alias), str(wanted))

    def describe(self, versions: Mapping[int, str], succession: str) -> None:
        """Say in MLflow's pages what each version of the database is and why, and what would replace what."""
        with self._client("take descriptions") as client:
            found = self._found(client)
            for one in found:
                text = versions.get(_whole(one.tags.get(VERSION_TAG, "")))
                if text is not None and one.description != text:
                    client.update_model_version(self.name, one.version, text)
            about = f"{ABOUT}\n\n{succession}"
            if found and client.get_registered_model(self.name).description != about:
                client.update_registered_model(self.name, about)

    def versions(self) -> list[MirroredVersion]:
        """Return the versions of this name, the newest first; none before anything was registered."""
        with self._client("list its models") as client:
            return self._versions(client)

    def _versions(self, client: MlflowClient) -> list[MirroredVersion]:
        found = self._found(client)
        if not found:
            return []
        aliases: dict[int, set[str]] = {}
        for alias, number in self._aliases(client).items():
            aliases.setdefault(int(number), set()).add(alias)
        return [
            MirroredVersion(
                version=_whole(version.tags.get(VERSION_TAG, "")),
                number=int(version.version),
                sha256=version.tags.get(SHA_TAG, ""),
                aliases=frozenset(aliases.get(int(version.version), ())),
            )
            for version in sorted(found, key=lambda version: int(version.version), reverse=True)
        ]

    def _found(self, client: MlflowClient) -> list[ModelVersion]:
        return list(client.search_model_versions(f"name = '{self.name}'", max_results=1000))

    def _aliases(self, client: MlflowClient) -> Mapping[str, str]:
        return dict(client.get_registered_model(self.name).aliases)

    def _ensure(self, client: MlflowClient) -> None:
        from mlflow.exceptions import MlflowException

        try:
            client.create_registered_model(self.name, description=ABOUT)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise

    @contextmanager
    def _client(self, did_not: str) -> Iterator[MlflowClient]:
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
        # Standard output belongs to the caller's own result, which may be JSON.
        os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
        # Importing MLflow takes seconds, so only who registers pays for it.
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException

        try:
            yield MlflowClient(self.tracking_uri)
        except (MlflowException, OSError) as error:  # its store of artifacts fails in its own ways
            said = (str(error) or repr(error)).splitlines()[0][:200]
            raise StorageUnavailableError(
                f"MLflow at {self.tracking_uri} did not {did_not} ({said})",
                "start it with `make up`, or unset MLFLOW_TRACKING_URI",
            ) from None


def _whole(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() else 0
