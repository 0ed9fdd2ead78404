"""A training: data -> splits -> scores out of sample -> evidence -> models of the whole window -> registry, report."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from trading_lib.adapters.files.output_file import check_writable, write_whole
from trading_lib.domain.errors import StorageUnavailableError
from trading_lib.domain.market.prices import FloatArray
from trading_lib.learning.config import LearningConfig
from trading_lib.learning.dataset import Dataset
from trading_lib.learning.evidence.model_evidence import ModelEvidence
from trading_lib.learning.model import Model
from trading_lib.workflows.learning.tracking import Tracking
from trading_lib.workflows.learning.training.artifacts import write_models
from trading_lib.workflows.learning.training.lock import FOLDER, only_training
from trading_lib.workflows.learning.training.nulls import null_tests
from trading_lib.workflows.learning.training.report import training_report
from trading_lib.workflows.learning.training.request import TrainingRequest as TrainingRequest
from trading_lib.workflows.learning.training.steps import Findings, Prepared, conclude, prepare, score
from trading_lib.workflows.setup.code_version import code_version
from trading_lib.workflows.setup.settings import Settings
from trading_lib.workflows.trade.stage_log import stage_log

Progress = Callable[[str], None]
REPORT_FILE = "report.json"


@dataclass(frozen=True, slots=True)
class TrainingRun:
    """A finished training.

    Attributes
    ----------
    configuration
        As it was trained by: with the window that was asked for.
    data_source
        Name of the prices.
    code_version
        Of this project.
    dataset
        What the models of the whole window learned from.
    models
        Kind -> model fitted on all of ``dataset``.
    evidence
        Kind -> what is known of it out of sample.
    baselines
        Figures of the untrained baselines by name.
    report
        Plain values, as `trading train` writes them.
    daily_ic
        Kind -> information coefficient of each session of ``dataset`` out of sample, the mean over the paths, shape
        (S,); those of the baselines too. A promotion compares them.
    """

    request: TrainingRequest
    configuration: LearningConfig
    data_source: str
    code_version: str
    dataset: Dataset
    models: Mapping[str, Model]
    evidence: Mapping[str, ModelEvidence]
    baselines: Mapping[str, Mapping[str, Any]]
    report: dict[str, Any]
    started_at: datetime
    finished_at: datetime
    daily_ic: Mapping[str, FloatArray] = field(default_factory=dict)

    @property
    def passed(self) -> tuple[str, ...]:
        """Kinds that passed, in the order of the configuration."""
        return tuple(kind for kind in self.models if self.evidence[kind].passed)


def train(
    settings: Settings, request: TrainingRequest, progress: Progress | None = None, out: Path | None = None
) -> TrainingRun:
    """Train, judge, fit on everything, log to MLflow, and register what passed.

    Where MLflow cannot be reached the training goes on, says so, and registers nothing.

    Parameters
    ----------
    out
        The report's file; the models' files lie in a folder beside it. None for a folder of the project's home.

    Raises
    ------
    InputError
        When the data cannot be learned from, or another training is running; nothing is written then.
    """
    say = progress or (lambda line: None)
    started, began = settings.clock(), time.perf_counter()
    with stage_log("train") as counts:
        say(f"reading the data of {request.first} to {request.last}")
        ready = prepare(settings, request)
        with only_training(settings):
            tracking = Tracking.of(settings, ready, say)
            findings = fitted(ready, tracking, request.processes or os.cpu_count() or 1, say)
            run = finished(settings, request, findings, tracking, out, started, began)
        counts |= {"sessions": len(ready.data.sessions), "passed": len(run.passed)}
    return run


def fitted(ready: Prepared, tracking: Tracking, processes: int, say: Progress) -> Findings:
    """Fit and judge everything; nothing is written."""
    config = ready.config
    say(f"fitting {', '.join(config.models)} on {len(ready.plan.splits)} splits and along the walk-forward")
    scores = score(ready, processes)
    say("holding them against null models")
    nulls = null_tests(ready.data, ready.plan, config, processes=processes, progress=say)
    say("judging, and fitting on everything")
    return conclude(ready, scores, nulls, tracking.trials, processes)


def finished(
    settings: Settings,
    request: TrainingRequest,
    findings: Findings,
    tracking: Tracking,
    out: Path | None,
    started: datetime,
    began: float,
) -> TrainingRun:
    """Write models and report, log them, register what passed.

    Parameters
    ----------
    began
        When the training did, by `time.perf_counter`.
    """
    ready, verdicts = findings.ready, findings.verdicts
    out = out or _place_at_home(settings, ready)
    check_writable(out)
    artifacts = write_models(out.parent / f"{out.stem}-models", findings.models)
    report = training_report(request, findings, artifacts, tracking.trials, code_version())
    report["elapsed_seconds"] = round(time.perf_counter() - began, 2)
    run = TrainingRun(
        request=request,
        configuration=ready.config,
        data_source=ready.data_source,
        code_version=report["code_version"],
        dataset=ready.data,
        models=findings.models,
        evidence=verdicts.models,
        baselines=verdicts.baselines,
        report=report,
        started_at=started,
        finished_at=settings.clock(),
        daily_ic={name: track.ic for name, track in verdicts.tracks.items()},
    )
    _log_and_register(settings, run, findings, tracking)
    report["notes"] += tracking.notes
    write_whole(out, json.dumps(report, indent=2, allow_nan=False).encode() + b"\n")
    return run


def _log_and_register(settings: Settings, run: TrainingRun, findings: Findings, tracking: Tracking) -> None:
    run_id = tracking.log(run.report, findings)
    run.report["mlflow_run"] = run_id
    if not run.request.register:
        return
    if run_id is None:
        if run.passed:
            tracking.notes.append(f"{', '.join(run.passed)} passed, and nothing is registered without MLflow")
        return
    from trading_lib.workflows.learning.registry import register

    try:
        registration = register(settings, run, run_id)
        run.report["registered"] = registration.report()["versions"]
        tracking.notes += [registration.mlflow] * bool(registration.mlflow)
    except StorageUnavailableError as error:
        tracking.notes.append(f"nothing was registered: {error}")


def _place_at_home(settings: Settings, ready: Prepared) -> Path:
    folder = settings.folders.closed(FOLDER) / f"{ready.data.digest[:8]}-{ready.config.digest[:8]}"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder / REPORT_FILE
