"""MLflow's tables, refusing entries that name a foreign artifact location."""

from __future__ import annotations

from typing import Any

from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE
from mlflow.server import handlers
from mlflow.store.db.db_types import DATABASE_ENGINES
from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore as RegistryTables
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore as TrackingTables
from mlflow.utils.mlflow_tags import MLFLOW_ARTIFACT_LOCATION, MLFLOW_TRACE_ARCHIVE_LOCATION

from trading_lib.adapters.mlflow.server.locations import is_own_location, is_own_source

LOCATION_TAGS = (MLFLOW_ARTIFACT_LOCATION, MLFLOW_TRACE_ARCHIVE_LOCATION)


def use_guarded_stores() -> None:
    """Let the server's handlers, of every interface, work on the guarded tables."""
    for engine in DATABASE_ENGINES:
        handlers._tracking_store_registry.register(
            engine, lambda store_uri, artifact_uri: Tracking(store_uri, artifact_uri)
        )
        handlers._model_registry_store_registry.register(engine, lambda store_uri: Registry(store_uri))


class Tracking(TrackingTables):
    """Experiments, runs and traces; a location is checked where it is stored, whichever interface it came by."""

    def create_experiment(self, name: str, artifact_location: str | None = None, tags: Any = None) -> Any:
        """Create an experiment with its artifacts at the server's own place."""
        if artifact_location and not is_own_location(artifact_location):
            raise _refusal("artifact_location", artifact_location)
        return super().create_experiment(name, artifact_location, tags)

    def start_trace(self, trace_info: Any) -> Any:
        """Store a trace."""
        for key in LOCATION_TAGS:
            _check_tag(key, (trace_info.tags or {}).get(key))
        return super().start_trace(trace_info)

    def set_trace_tag(self, trace_id: str, key: str, value: str) -> Any:
        """Tag a trace."""
        _check_tag(key, value)
        return super().set_trace_tag(trace_id, key, value)


class Registry(RegistryTables):
    """Registered models."""

    def create_model_version(self, name: str, source: str, *rest: Any, **named: Any) -> Any:
        """Register a version that lies on this server."""
        if source and not is_own_source(source):
            raise _refusal("source", source)
        return super().create_model_version(name, source, *rest, **named)


def _check_tag(key: str, value: str | None) -> None:
    if key in LOCATION_TAGS and value and not is_own_location(value):
        raise _refusal(f"tag {key}", value)


def _refusal(field: str, value: str) -> MlflowException:
    return MlflowException(
        f"{field} {value[:200]!r} is not on this server: leave it out, or name a place below mlflow-artifacts:/",
        error_code=INVALID_PARAMETER_VALUE,
    )
