"""A training: data -> splits -> scores out of sample -> evidence -> models of the whole window -> registry, report."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

from trading_lib.domain.errors import StorageUnavailableError
from trading_lib.domain.market.prices import FloatArray
from trading_lib.learning.config import LearningConfig
from trading_lib.learning.dataset import Dataset
from trading_lib.learning.evidence.model_evidence import ModelEvidence
from trading_lib.learning.model import Model
from trading_lib.performance.significance.deflated_sharpe import Trials
from trading_lib.workflows.learning.tracking import Tracking, trials_alone
from trading_lib.workflows.learning.training.artifacts import TrainingOutput
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
        The report's file; the models' files lie in a folder beside it. Both stay as they were, unless all of it could
        be written. None for a folder of the project's home.

    Raises
    ------
    InputError
        When ``out`` cannot be written, the data cannot be learned from, or another training is running; nothing is
        written then.
    """
    say = progress or _silent
    started, began = settings.clock(), time.perf_counter()
    output = TrainingOutput(out) if out else None
    if output:
        output.check()
    with stage_log("train") as counts:
        ready = prepare(settings, request, say)
        with only_training(settings):
            tracking = Tracking.of(settings, ready, say)
            findings = fitted(ready, tracking.trials, request.processes, say)
            run = described(settings, request, findings, tracking.trials, started)
            output = output or TrainingOutput(report_place(settings, ready))
            with output.staged(run.models) as staged:
                run.report["artifacts"] = staged.artifacts
                log_and_register(settings, run, findings, tracking)
                run.report["elapsed_seconds"] = round(time.perf_counter() - began, 2)
                staged.publish(run.report)
        counts |= {"sessions": len(ready.data.sessions), "passed": len(run.passed)}
    return run


def rehearse(settings: Settings, request: TrainingRequest, progress: Progress | None = None) -> TrainingRun:
    """Train and judge as `train` does, and leave nothing behind: no file, no run in MLflow, nothing registered."""
    say, started = progress or _silent, settings.clock()
    ready = prepare(settings, request, say)
    trials = trials_alone(ready)
    return described(settings, request, fitted(ready, trials, request.processes, say), trials, started)


def fitted(ready: Prepared, trials: Trials, processes: int | None, say: Progress) -> Findings:
    """Fit and judge everything."""
    config, count = ready.config, processes or os.cpu_count() or 1
    say(f"fitting {', '.join(config.models)} on {len(ready.plan.splits)} splits and along the walk-forward")
    # Null models are fitted in processes of their own: those of the splits need not be over for them to begin.
    given_up = Event()
    with ThreadPoolExecutor(1) as beside:
        drawn = partial(null_tests, processes=count, progress=say, given_up=given_up.is_set)
        nulls = beside.submit(drawn, ready.data, ready.plan, config)
        try:
            scores = score(ready, count)
            found = nulls.result()
        except BaseException:
            given_up.set()  # or Ctrl-C, and what is wrong, would wait for hundreds of draws
            raise
    say("judging, and fitting on everything")
    return conclude(ready, scores, found, trials, count)


def described(
    settings: Settings, request: TrainingRequest, findings: Findings, trials: Trials, started: datetime
) -> TrainingRun:
    """Put together what came of a training."""
    ready, verdicts, version = findings.ready, findings.verdicts, code_version()
    return TrainingRun(
        request=request,
        configuration=ready.config,
        data_source=ready.data_source,
        code_version=version,
        dataset=ready.data,
        models=findings.models,
        evidence=verdicts.models,
        baselines=verdicts.baselines,
        report=training_report(request, findings, trials, version),
        started_at=started,
        finished_at=settings.clock(),
        daily_ic={name: track.ic for name, track in verdicts.tracks.items()},
    )


def report_place(settings: Settings, ready: Prepared) -> Path:
    """Where the report of a training lies in the project's home."""
    folder = settings.folders.closed(FOLDER) / f"{ready.data.digest[:8]}-{ready.config.digest[:8]}"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder / REPORT_FILE


def log_and_register(settings: Settings, run: TrainingRun, findings: Findings, tracking: Tracking) -> None:
    """Log the training to MLflow and register what passed; what could not be done is noted in the report."""
    run.report["mlflow_run"] = tracking.log(run.report, findings)
    if run.request.may_register:
        tracking.notes += register_passed(settings, run)
    run.report["notes"] += tracking.notes


def register_passed(settings: Settings, run: TrainingRun) -> list[str]:
    """Register what passed, and return what there is to say about it."""
    if run.report["mlflow_run"] is None:
        return [f"{', '.join(run.passed)} passed, and nothing is registered without MLflow"] * bool(run.passed)
    from trading_lib.workflows.learning.registry import register

    try:
        registration = register(settings, run, run.report["mlflow_run"])
    except StorageUnavailableError as error:
        return [f"nothing was registered: {error}"]
    run.report["registered"] = registration.report()["versions"]
    return [registration.mlflow] * bool(registration.mlflow)


def _silent(line: str) -> None:
    pass
