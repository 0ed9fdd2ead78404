"""The tables of models: trainings, registered versions with their files, aliases, predictions and what became of them.

A trigger refuses to change or remove a row of any but ``trainings`` and ``model_importances``, which are written once
all the same.
"""

from __future__ import annotations

from sqlalchemy import (
    ARRAY,
    CheckConstraint,
    Column,
    Date,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import JSONB

from trading_lib.adapters.stores.postgres.columns import METADATA, instant, key, required
from trading_lib.learning.registered import LARGEST_FILE


def _of_a_version(table: str) -> ForeignKeyConstraint:
    names = ("name", "version")
    return ForeignKeyConstraint(names, [f"model_versions.{name}" for name in names], name=f"fk_{table}_version")


# What a training was asked for, what it ran on, and what it found.
trainings = Table(
    "trainings",
    METADATA,
    key("id", Text),
    required("first_session", Date),
    required("last_session", Date),
    required("data_source", Text),
    required("data_hash", Text),
    required("features", ARRAY(Text)),
    required("request", JSONB),
    required("configuration", JSONB),
    required("config_hash", Text),
    required("code_version", Text),
    required("seed", Integer),
    required("mlflow_run", Text),
    required("report", JSONB),
    instant("started_at"),
    instant("finished_at"),
    Index(None, "finished_at"),
)

# Native files of models, so that a prediction needs neither MLflow nor a folder.
model_files = Table(
    "model_files",
    METADATA,
    key("sha256", Text),
    required("content", LargeBinary),
    CheckConstraint(f"octet_length(content) <= {LARGEST_FILE}", name="size"),
)

# A model that was registered. Files: name -> sha256; ranges: feature -> its least and largest value in training.
model_versions = Table(
    "model_versions",
    METADATA,
    key("name", Text),
    Column("version", Integer, primary_key=True, nullable=False, autoincrement=False),
    required("kind", Text),
    Column("training", Text, ForeignKey("trainings.id"), nullable=False),
    required("trained_until", Date),
    required("features", ARRAY(Text)),
    required("files", JSONB),
    required("sha256", Text),
    required("data_hash", Text),
    required("evidence", JSONB),
    required("ranges", JSONB),
    required("certificate", Text),
    instant("created_at"),
    UniqueConstraint("name", "sha256", "data_hash"),
    CheckConstraint("version > 0", name="version"),
)

# Which alias a version got when, from whom and why; its newest row counts. One without an alias is retired.
model_aliases = Table(
    "model_aliases",
    METADATA,
    Column("number", Integer, primary_key=True, nullable=False, autoincrement=False),
    required("name", Text),
    required("version", Integer),
    Column("alias", Text),
    required("reason", Text),
    required("given_by", Text),
    instant("given_at"),
    _of_a_version("model_aliases"),
    CheckConstraint("alias IN ('candidate', 'challenger', 'champion')", name="alias"),
    Index(None, "name", "version"),
)

# What a version said of each asset before a session; without a score, why it abstained.
model_predictions = Table(
    "model_predictions",
    METADATA,
    key("name", Text),
    Column("version", Integer, primary_key=True, nullable=False, autoincrement=False),
    key("session", Date),
    key("symbol", Text),
    Column("score", Double),
    Column("rank", Double),
    required("abstained", Text),
    instant("stored_at"),
    _of_a_version("model_predictions"),
    CheckConstraint("(score IS NULL) = (abstained <> '')", name="abstained"),
    Index(None, "session"),
)

# Figures of a version in a session, for drift: information coefficient, distances of features and others, by name.
model_readings = Table(
    "model_readings",
    METADATA,
    key("name", Text),
    Column("version", Integer, primary_key=True, nullable=False, autoincrement=False),
    key("session", Date),
    key("reading", Text),
    required("value", Double),
    instant("stored_at"),
    _of_a_version("model_readings"),
    Index(None, "reading", "session"),
)

# What happened to models and was not only a change of alias: retrained, refused, demoted, an alarm.
model_events = Table(
    "model_events",
    METADATA,
    Column("number", Integer, primary_key=True, nullable=False, autoincrement=False),
    required("name", Text),
    Column("version", Integer),
    required("kind", Text),
    Column("session", Date),
    required("text", Text),
    required("detail", JSONB),
    required("caused_by", Text),
    instant("at"),
    Index(None, "name", "kind"),
)

# Share of each feature in a version's contributions; they add up to 1.
model_importances = Table(
    "model_importances",
    METADATA,
    key("name", Text),
    Column("version", Integer, primary_key=True, nullable=False, autoincrement=False),
    key("feature", Text),
    required("share", Double),
    _of_a_version("model_importances"),
)
