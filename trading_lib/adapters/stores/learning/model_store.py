"""Registered versions of models with their files and aliases; rows are only ever added."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from sqlalchemy import Connection, Engine, func, select, text
from sqlalchemy.dialects.postgresql import insert

from trading_lib.adapters.stores.postgres.json_codec import decode, encode
from trading_lib.adapters.stores.postgres.revisions import lock_key
from trading_lib.adapters.stores.postgres.schema_models import (
    model_aliases,
    model_files,
    model_versions,
    trainings,
)
from trading_lib.domain.errors import InputError
from trading_lib.domain.market.sessions import require_aware
from trading_lib.learning.registered import (
    LARGEST_FILE,
    RANKING,
    Alias,
    AliasChange,
    Aliases,
    StoredModel,
    StoredTraining,
    file_digests,
)

# From the aliases as they are to those that are given; called while nobody else changes any.
Decide = Callable[[StoredModel, Aliases], Sequence[AliasChange]]


class ModelStore:
    """The models of one database under one name."""

    def __init__(self, engine: Engine, name: str = RANKING) -> None:
        self._engine = engine
        self.name = name

    def save_training(self, training: StoredTraining) -> bool:
        """Store a finished training; False when it is there already."""
        values = asdict(training) | {"first_session": training.first, "last_session": training.last}
        del values["first"], values["last"]
        for column in ("request", "configuration", "report"):
            values[column] = encode(values[column])
        values["features"] = list(training.features)
        require_aware(training.started_at, "started_at")
        require_aware(training.finished_at, "finished_at")
        statement = insert(trainings).values(values).on_conflict_do_nothing().returning(trainings.c.id)
        with self._engine.begin() as connection:
            return connection.execute(statement).first() is not None

    def training(self, number: str) -> StoredTraining:
        """Return a training; an unknown id is an `InputError`."""
        with self._engine.connect() as connection:
            row = connection.execute(select(trainings).where(trainings.c.id == number)).mappings().one_or_none()
        if row is None:
            raise InputError(f"there is no training {number}", "`trading model list` shows those of each version")
        return _training(row)

    def trainings(self, limit: int | None = None) -> list[StoredTraining]:
        """Return the newest trainings, the newest first."""
        query = select(trainings).order_by(trainings.c.finished_at.desc(), trainings.c.id).limit(limit)
        with self._engine.connect() as connection:
            return [_training(row) for row in connection.execute(query).mappings()]

    def register(
        self, model: StoredModel, files: Mapping[str, bytes], decide: Decide, again: Decide | None = None
    ) -> tuple[StoredModel, bool]:
        """Store a version with its files and first aliases; return it, and whether it is new.

        One of the same digest and data is the same version: nothing is stored then, save the aliases of ``again``.

        Parameters
        ----------
        model
            Its version and name do not matter: the store numbers it.
        decide
            Gives the aliases that change when it is new, from those there are.
        again
            Gives those that change when it is there already; without it none do.

        Raises
        ------
        InputError
            When a file is larger than the database takes.
        """
        _refuse_large(files)
        with self._engine.begin() as connection:
            self._lock(connection)
            same = connection.execute(
                select(model_versions).where(
                    model_versions.c.name == self.name,
                    model_versions.c.sha256 == model.sha256,
                    model_versions.c.data_hash == model.data_hash,
                )
            )
            if (stored := same.mappings().one_or_none()) is not None:
                same_model = _model(stored)
                if again is not None:
                    self._append(connection, again(same_model, self._aliases(connection)))
                return same_model, False
            newest = select(func.coalesce(func.max(model_versions.c.version), 0))
            number = connection.execute(newest.where(model_versions.c.name == self.name)).scalar_one() + 1
            new = replace(model, name=self.name, version=number)
            rows = [{"sha256": digest, "content": files[name]} for name, digest in file_digests(files).items()]
            connection.execute(insert(model_files).on_conflict_do_nothing(), rows)
            connection.execute(insert(model_versions).values(_row(new)))
            self._append(connection, decide(new, self._aliases(connection)))
        return new, True

    def change(self, version: int, decide: Decide) -> Aliases:
        """Change aliases while nobody else does, and return those there are then.

        Parameters
        ----------
        version
            Handed to ``decide``; an unknown one is an `InputError`.
        """
        model = self.version(version)
        with self._engine.begin() as connection:
            self._lock(connection)
            self._append(connection, decide(model, self._aliases(connection)))
            return self._aliases(connection)

    def aliases(self) -> Aliases:
        """Return every alias that was ever given."""
        with self._engine.connect() as connection:
            return self._aliases(connection)

    def holder(self, alias: Alias) -> StoredModel | None:
        """Return the version that has an alias now, with its files."""
        version = self.aliases().holder(alias)
        return None if version is None else self.with_files(self.version(version))

    def version(self, version: int) -> StoredModel:
        """Return a version; an unknown one is an `InputError`."""
        query = select(model_versions).where(model_versions.c.name == self.name, model_versions.c.version == version)
        with self._engine.connect() as connection:
            row = connection.execute(query).mappings().one_or_none()
        if row is None:
            raise InputError(f"there is no model version {version}", "`trading model list` shows those there are")
        return _model(row)

    def versions(self) -> list[StoredModel]:
        """Return all versions, the newest first."""
        query = select(model_versions).where(model_versions.c.name == self.name)
        with self._engine.connect() as connection:
            rows = connection.execute(query.order_by(model_versions.c.version.desc())).mappings()
            return [_model(row) for row in rows]

    def with_files(self, model: StoredModel) -> StoredModel:
        """Return a version with its files as they are stored, unchecked; those that are absent are left out."""
        query = select(model_files).where(model_files.c.sha256.in_(model.files.values()))
        with self._engine.connect() as connection:
            found = {row.sha256: bytes(row.content) for row in connection.execute(query)}
        contents = {name: found[digest] for name, digest in model.files.items() if digest in found}
        return replace(model, contents=contents)

    def _lock(self, connection: Connection) -> None:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": lock_key("models", self.name)})

    def _aliases(self, connection: Connection) -> Aliases:
        query = select(model_aliases).where(model_aliases.c.name == self.name).order_by(model_aliases.c.number)
        return Aliases(
            tuple(
                AliasChange(
                    version=row.version,
                    alias=None if row.alias is None else Alias(row.alias),
                    reason=row.reason,
                    by=row.given_by,
                    at=require_aware(row.given_at, "given_at"),
                    number=row.number,
                )
                for row in connection.execute(query)
            )
        )

    def _append(self, connection: Connection, changes: Sequence[AliasChange]) -> None:
        if not changes:
            return
        # Other names number in the same table.
        connection.execute(text("LOCK TABLE model_aliases IN EXCLUSIVE MODE"))
        newest = connection.execute(select(func.coalesce(func.max(model_aliases.c.number), 0))).scalar_one()
        rows = [
            {
                "number": newest + at,
                "name": self.name,
                "version": change.version,
                "alias": None if change.alias is None else str(change.alias),
                "reason": change.reason,
                "given_by": change.by,
                "given_at": require_aware(change.at, "at"),
            }
            for at, change in enumerate(changes, start=1)
        ]
        connection.execute(insert(model_aliases), rows)


def _refuse_large(files: Mapping[str, bytes]) -> None:
    for name, content in files.items():
        if len(content) > LARGEST_FILE:
            raise InputError(
                f"the model file {name} has {len(content) / 1024**2:.0f} MiB, and at most"
                f" {LARGEST_FILE // 1024**2} are stored",
                "train with fewer rounds or leaves (learning.yaml)",
            )


def _row(model: StoredModel) -> dict[str, Any]:
    return {
        **{name: getattr(model, name) for name in StoredModel.__dataclass_fields__ if name != "contents"},
        "features": list(model.features),
        "files": dict(model.files),
        "evidence": encode(model.evidence),
        "ranges": encode({name: list(ends) for name, ends in model.ranges.items()}),
        "created_at": require_aware(model.created_at, "created_at"),
    }


def _model(row: Mapping[Any, Any]) -> StoredModel:
    values = {
        **row,
        "features": tuple(row["features"]),
        "evidence": decode(row["evidence"]),
        "ranges": {name: (low, high) for name, (low, high) in decode(row["ranges"]).items()},
        "created_at": require_aware(row["created_at"], "created_at"),
    }
    return StoredModel(**values)


def _training(row: Mapping[Any, Any]) -> StoredTraining:
    values = {name: row[name] for name in StoredTraining.__dataclass_fields__ if name not in ("first", "last")}
    for column in ("request", "configuration", "report"):
        values[column] = decode(values[column])
    values |= {"first": row["first_session"], "last": row["last_session"], "features": tuple(row["features"])}
    return StoredTraining(**values)
