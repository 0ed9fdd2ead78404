"""Backtests as MLflow runs: parameters, metrics, tags and pictures."""

from __future__ import annotations

import hashlib
import json
import math
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from trading_lib.adapters.mlflow.views import SHEET_FILE, artifact_page, experiment_tags
from trading_lib.domain.errors import StorageUnavailableError
from trading_lib.domain.market.prices import DateArray, FloatArray

BACKTEST_EXPERIMENT = "backtests"
TRIALS_TAG = "trials_in_run"
NOTE_TAG = "mlflow.note.content"


@dataclass(frozen=True, slots=True)
class TrackedRun:
    """What is logged of one run.

    Attributes
    ----------
    metrics
        Name -> value; None and NaN are left out, as MLflow has no missing value.
    context
        Further metrics that depend on what else was logged, e.g. a deflated Sharpe ratio: they do not make the same run
        another one.
    trials
        How many trials the run stands for: one backtest, or the points of a sweep.
    kind
        What the run is, as a tag.
    nav_sessions, nav
        The curve, logged as metric "nav" with the session's date as its time, so that runs compare in the UI; empty
        where a run has none.
    files
        Artifact name -> content.
    note
        Description of the run, Markdown; ``{sheet}`` in it stands for the address of its tear sheet's page.
    """

    name: str
    parameters: Mapping[str, str]
    metrics: Mapping[str, float | None]
    tags: Mapping[str, str]
    nav_sessions: DateArray = field(default_factory=lambda: np.empty(0, "datetime64[D]"))
    nav: FloatArray = field(default_factory=lambda: np.empty(0))
    files: Mapping[str, bytes] = field(default_factory=dict)
    context: Mapping[str, float | None] = field(default_factory=dict)
    trials: int = 1
    kind: str = "backtest"
    note: str = ""


class MlflowTracker:
    """Logs runs to one MLflow server."""

    # MLflow's server refuses larger batches.
    METRICS_PER_BATCH = 1000
    PARAMETERS_PER_BATCH = 100

    def __init__(self, tracking_uri: str) -> None:
        self.tracking_uri = tracking_uri

    def log(self, run: TrackedRun, experiment: str = BACKTEST_EXPERIMENT) -> str:
        """Log a finished run and return its id; the same run again is not logged twice.

        Two runs are the same when name, parameters and metrics are: repeating a backtest is no further trial.

        Raises
        ------
        StorageUnavailableError
            When the server does not answer.
        """
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
        # Standard output belongs to the caller's own result, which may be JSON.
        os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
        # Importing MLflow takes seconds, so only who logs pays for it.
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException

        client = MlflowClient(self.tracking_uri)
        try:
            return self._log(client, run, experiment)
        except MlflowException as error:
            raise _unavailable(self.tracking_uri, "take the run", error) from None

    def experiment_id(self, experiment: str = BACKTEST_EXPERIMENT) -> str | None:
        """Return the experiment's id; None before anything was logged to it.

        Raises
        ------
        StorageUnavailableError
            When the server does not answer.
        """
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException

        try:
            match = MlflowClient(self.tracking_uri).get_experiment_by_name(experiment)
        except MlflowException as error:
            raise _unavailable(self.tracking_uri, "name its experiments", error) from None
        return str(match.experiment_id) if match else None

    def _log(self, client: object, run: TrackedRun, experiment: str) -> str:
        from mlflow import MlflowClient
        from mlflow.entities import Metric, Param, RunTag

        assert isinstance(client, MlflowClient)
        existing = client.get_experiment_by_name(experiment)
        experiment_id = str(existing.experiment_id if existing else client.create_experiment(experiment))
        for tag, value in experiment_tags().items():
            # Experiments of earlier versions have no such tag, or another view.
            if existing is None or existing.tags.get(tag) != value:
                client.set_experiment_tag(experiment_id, tag, value)
        identity = _identity(run)
        same = f"tags.identity = '{identity}' and attributes.status = 'FINISHED'"
        for earlier in client.search_runs([experiment_id], filter_string=same, max_results=1):
            return str(earlier.info.run_id)
        tags = {**run.tags, "identity": identity, TRIALS_TAG: str(run.trials)}
        run_id: str = client.create_run(experiment_id, run_name=run.name, tags=tags).info.run_id
        now = int(datetime.now(UTC).timestamp() * 1000)
        metrics = [
            Metric(name, float(value), now, 0)
            for name, value in {**run.metrics, **run.context}.items()
            if value is not None and math.isfinite(value)
        ]
        parameters = [Param(name, value) for name, value in run.parameters.items()]
        client.log_batch(run_id, metrics=metrics, tags=[RunTag("kind", run.kind)])
        for start in range(0, len(parameters), self.PARAMETERS_PER_BATCH):
            client.log_batch(run_id, params=parameters[start : start + self.PARAMETERS_PER_BATCH])
        if run.note:
            # The page's own address begins with the server's, which nobody knows under all its names.
            sheet = artifact_page("", experiment_id, run_id, SHEET_FILE).removeprefix("/")
            client.set_tag(run_id, NOTE_TAG, run.note.replace("{sheet}", sheet))
        curve = [
            Metric("nav", float(value), int(day.astype("datetime64[ms]").astype(np.int64)), step)
            for step, (day, value) in enumerate(zip(run.nav_sessions, run.nav, strict=True))
        ]
        for start in range(0, len(curve), self.METRICS_PER_BATCH):
            client.log_batch(run_id, metrics=curve[start : start + self.METRICS_PER_BATCH])
        with tempfile.TemporaryDirectory() as folder:
            for name, content in run.files.items():
                path = Path(folder) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
                inside = Path(name).parent.as_posix()
                client.log_artifact(run_id, str(path), None if inside == "." else inside)
        client.set_terminated(run_id)
        return run_id


def _unavailable(address: str, did_not: str, error: Exception) -> StorageUnavailableError:
    return StorageUnavailableError(
        f"MLflow at {address} did not {did_not} ({str(error).splitlines()[0][:200]})",
        "start it with `make up`, or unset MLFLOW_TRACKING_URI",
    )


def _identity(run: TrackedRun) -> str:
    """Hash what a run asked for and what came out."""
    content = json.dumps([run.name, dict(run.parameters), dict(run.metrics)], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()
