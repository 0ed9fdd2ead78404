"""Trainings as MLflow runs: one for the whole, with one below it for every model and for every split."""

from __future__ import annotations

import hashlib
import json
import math
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from trading_lib.adapters.mlflow.runs import NOTE_TAG, TRIALS_TAG
from trading_lib.adapters.mlflow.views import MODELS, experiment_tags
from trading_lib.domain.errors import StorageUnavailableError

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Run

MODELS_EXPERIMENT = "models"
KIND_TAG, KEY_TAG, IDENTITY_TAG, PARENT_TAG = "kind", "training", "identity", "mlflow.parentRunId"
TRAINING = "training"
ACTIVE_SHARPE = "active_sharpe_"
# MLflow's server refuses larger batches.
METRICS_PER_BATCH = 1000
RUNS_PER_PAGE = 1000
# MLflow's tables show all digits that there are; the report has them.
DIGITS = 4

# Step, milliseconds of its time, value.
Point = tuple[int, int, float]


@dataclass(frozen=True, slots=True)
class TrackedPart:
    """A model or a split of a training, as a run below the training's.

    Attributes
    ----------
    kind
        "model", "baseline" or "split".
    metrics
        Name -> value; None and NaN are left out, as MLflow has no missing value.
    series
        Name -> its points in order.
    """

    name: str
    kind: str
    parameters: Mapping[str, str]
    metrics: Mapping[str, float | None]
    series: Mapping[str, Sequence[Point]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TrackedTraining:
    """What is logged of a training.

    Attributes
    ----------
    key
        What was asked for: window, data, configuration. The same again is no further trial.
    metrics
        As of `TrackedPart`; `ACTIVE_SHARPE` and a model's name is its annualised active Sharpe ratio.
    context
        Further metrics that depend on earlier trainings: they do not make the same training another one.
    trials
        How many models were tried.
    files
        Artifact name -> content.
    """

    name: str
    key: str
    parameters: Mapping[str, str]
    metrics: Mapping[str, float | None]
    parts: Sequence[TrackedPart]
    trials: int
    context: Mapping[str, float | None] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True, slots=True)
class EarlierTraining:
    """A training that was logged, however often.

    Attributes
    ----------
    active_sharpes
        Annualised, one a model.
    """

    key: str
    identity: str
    data_source: str
    first: str
    last: str
    trials: int
    active_sharpes: tuple[float, ...]


class TrainingTracker:
    """Logs trainings to one MLflow server, and reads back what was tried."""

    def __init__(self, tracking_uri: str) -> None:
        self.tracking_uri = tracking_uri

    def log(self, training: TrackedTraining) -> str:
        """Log a finished training and return its run's id; the same again is not logged twice.

        Raises
        ------
        StorageUnavailableError
            When the server does not answer.
        """
        from mlflow.exceptions import MlflowException

        try:
            return self._log(self._client(), training)
        except MlflowException as error:
            raise self._unavailable("take the training", error) from None

    def earlier(self) -> list[EarlierTraining]:
        """Read the distinct finished trainings; none before anything was logged.

        Raises
        ------
        StorageUnavailableError
            When the server does not answer.
        """
        from mlflow.exceptions import MlflowException

        try:
            return list({found.identity: found for found in map(_earlier, self._trainings(self._client()))}.values())
        except MlflowException as error:
            raise self._unavailable("list its trainings", error) from None

    def _client(self) -> MlflowClient:
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
        # Standard output belongs to the caller's own result, which may be JSON.
        os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
        # Importing MLflow takes seconds, so only who logs pays for it.
        from mlflow import MlflowClient

        return MlflowClient(self.tracking_uri)

    def _trainings(self, client: MlflowClient) -> Iterator[Run]:
        tracked, token = client.get_experiment_by_name(MODELS_EXPERIMENT), None
        finished = f"attributes.status = 'FINISHED' and tags.{KIND_TAG} = '{TRAINING}'"
        while tracked:
            page = client.search_runs([tracked.experiment_id], finished, max_results=RUNS_PER_PAGE, page_token=token)
            yield from page
            token = page.token
            if not token:
                break

    def _log(self, client: MlflowClient, training: TrackedTraining) -> str:
        existing = client.get_experiment_by_name(MODELS_EXPERIMENT)
        experiment = str(existing.experiment_id if existing else client.create_experiment(MODELS_EXPERIMENT))
        for tag, value in experiment_tags(MODELS).items():
            # Experiments of earlier versions have no such tag, or another view.
            if existing is None or existing.tags.get(tag) != value:
                client.set_experiment_tag(experiment, tag, value)
        identity = _identity(training)
        same = f"tags.{IDENTITY_TAG} = '{identity}' and attributes.status = 'FINISHED'"
        for earlier in client.search_runs([experiment], filter_string=same, max_results=1):
            return str(earlier.info.run_id)
        tags = {**training.tags, KIND_TAG: TRAINING, KEY_TAG: training.key, IDENTITY_TAG: identity}
        tags[TRIALS_TAG] = str(training.trials)
        if training.note:
            tags[NOTE_TAG] = training.note
        parent: str = client.create_run(experiment, run_name=training.name, tags=tags).info.run_id
        _log_figures(client, parent, training.parameters, {**training.metrics, **training.context}, {})
        # MLflow lists the newest first, and a reader the models before the splits.
        for part in reversed(training.parts):
            below = {KIND_TAG: part.kind, PARENT_TAG: parent}
            run_id: str = client.create_run(experiment, run_name=part.name, tags=below).info.run_id
            _log_figures(client, run_id, part.parameters, part.metrics, part.series)
            client.set_terminated(run_id)
        _log_files(client, parent, training.files)
        client.set_terminated(parent)
        return parent

    def _unavailable(self, did_not: str, error: Exception) -> StorageUnavailableError:
        return StorageUnavailableError(
            f"MLflow at {self.tracking_uri} did not {did_not} ({str(error).splitlines()[0][:200]})",
            "start it with `make up`, or unset MLFLOW_TRACKING_URI",
        )


def _log_figures(
    client: MlflowClient,
    run_id: str,
    parameters: Mapping[str, str],
    metrics: Mapping[str, float | None],
    series: Mapping[str, Sequence[Point]],
) -> None:
    from mlflow.entities import Param

    points = list(_points(metrics, series))
    client.log_batch(run_id, points[:METRICS_PER_BATCH], [Param(name, value) for name, value in parameters.items()])
    for start in range(METRICS_PER_BATCH, len(points), METRICS_PER_BATCH):
        client.log_batch(run_id, points[start : start + METRICS_PER_BATCH])


def _points(metrics: Mapping[str, float | None], series: Mapping[str, Sequence[Point]]) -> Iterator[Metric]:
    from mlflow.entities import Metric

    now = int(datetime.now(UTC).timestamp() * 1000)
    for name, value in metrics.items():
        if value is not None and math.isfinite(value):
            yield Metric(name, round(float(value), DIGITS), now, 0)
    for name, points in series.items():
        for step, moment, value in points:
            if math.isfinite(value):
                yield Metric(name, round(float(value), DIGITS), moment, step)


def _log_files(client: MlflowClient, run_id: str, files: Mapping[str, bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            path = Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            inside = Path(name).parent.as_posix()
            client.log_artifact(run_id, str(path), None if inside == "." else inside)


def _earlier(run: Run) -> EarlierTraining:
    parameters, tags = run.data.params, run.data.tags
    trials = tags.get(TRIALS_TAG, "1")
    return EarlierTraining(
        key=tags.get(KEY_TAG, ""),
        identity=tags.get(IDENTITY_TAG, run.info.run_id),
        data_source=parameters.get("data_source", ""),
        first=parameters.get("from", ""),
        last=parameters.get("to", ""),
        trials=max(1, int(trials)) if trials.isascii() and trials.isdigit() else 1,
        active_sharpes=tuple(v for name, v in sorted(run.data.metrics.items()) if name.startswith(ACTIVE_SHARPE)),
    )


def _identity(training: TrackedTraining) -> str:
    """Hash what a training asked for and what came out."""
    figures = {name: value for name, value in training.metrics.items() if value is not None and math.isfinite(value)}
    return hashlib.sha256(json.dumps([training.key, figures], sort_keys=True).encode()).hexdigest()
