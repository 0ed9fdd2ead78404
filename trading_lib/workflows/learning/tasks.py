"""The tasks of the DAG train_models: the steps of `trading train`, with files of the project's home between them."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

from trading_lib.adapters.mlflow.trainings import MODELS_EXPERIMENT
from trading_lib.domain.errors import InputError
from trading_lib.domain.market.sessions import FIRST_SESSION, parse_session
from trading_lib.learning.config import Window
from trading_lib.learning.evidence.nulls import Null
from trading_lib.market_data.chain import CHAIN
from trading_lib.performance.significance.deflated_sharpe import Trials
from trading_lib.workflows.dag_runs.parameters import data_folder
from trading_lib.workflows.learning.tracking import Tracking
from trading_lib.workflows.learning.train import (
    TrainingRequest,
    described,
    log_and_register,
    register_passed,
    report_place,
)
from trading_lib.workflows.learning.training.artifacts import TrainingOutput
from trading_lib.workflows.learning.training.files import TrainingFiles
from trading_lib.workflows.learning.training.lock import only_training
from trading_lib.workflows.learning.training.nulls import null_tests
from trading_lib.workflows.learning.training.steps import Findings, conclude, prepare, put_together, score_split
from trading_lib.workflows.learning.training.weak import weak_twice
from trading_lib.workflows.research.tracking import run_address
from trading_lib.workflows.setup.settings import Settings, load_settings
from trading_lib.workflows.setup.source_choice import choose_source, research_source
from trading_lib.workflows.stages.training import SplitPlan, TrainingFigures, TrainingPlan
from trading_lib.workflows.trade.stage_log import logged

LOG = logging.getLogger(__name__)


def due(settings: Settings | None = None) -> bool:
    """Whether models are retrained at each month's end."""
    return (settings or load_settings()).configuration.learning.lifecycle.month_end


@logged("training features")
def features(
    params: Mapping[str, Any],
    end: datetime | None = None,
    run: str = "",
    settings: Settings | None = None,
    *,
    scheduled: bool = False,
) -> tuple[TrainingPlan, list[SplitPlan]]:
    """Read the data of the form's window, and plan the splits.

    Parameters
    ----------
    end
        First instant after the run's data interval: a window without an end ends with the session before it.
    run
        Id of the DAG's run; the training's follows from it.
    scheduled
        Whether nobody asked for it: features that were weak twice are left out then.
    """
    settings = settings or load_settings()
    data, prices = _prices(params, settings)
    first, last = _window(params, end, settings)
    window = Window(params["window"]) if params.get("window") else None
    asked = json.dumps([run, str(first), str(last), data, window, settings.configuration.learning.digest])
    training = hashlib.sha256(asked.encode()).hexdigest()[:16]
    weak = weak_twice(settings) if scheduled else ()
    asked_with = Path(data) if data else None
    request = TrainingRequest(first=first, last=last, data=asked_with, window=window, leave_out=weak)
    ready = prepare(settings, request, _say)
    with only_training(settings):
        TrainingFiles(settings, training).begin(ready)
    splits = [
        SplitPlan(
            training=training,
            split=split.number,
            label=f"tests folds {' and '.join(str(fold + 1) for fold in split.test_folds)}",
        )
        for split in ready.plan.splits
    ]
    plan = TrainingPlan(
        training=training,
        first=first,
        last=last,
        data=data,
        window=window,
        prices=prices,
        sessions=len(ready.data.sessions),
        rows=len(ready.data),
        splits=len(splits),
    )
    return plan, splits


@logged("training split")
def split(plan: SplitPlan, settings: Settings | None = None) -> dict[str, Any]:
    """Fit the trees of one split and keep their scores; the linear models take less than a task does."""
    files = TrainingFiles(settings or load_settings(), plan.training)
    ready = files.prepared()
    scores = score_split(ready, plan.split)
    files.write_split(plan.split, scores)
    return {"split": plan.split, "models": list(scores), "test_sessions": len(ready.plan.splits[plan.split].test)}


@logged("training paths")
def paths(plan: TrainingPlan, settings: Settings | None = None) -> dict[str, Any]:
    """Put the splits together to paths, and follow the walk-forward."""
    files = TrainingFiles(settings or load_settings(), plan.training)
    ready = files.prepared()
    scores = put_together(ready, [files.read_split(number) for number in range(plan.splits)], 1)
    files.write_scores(scores)
    return {"paths": len(ready.plan.paths), "scored": list(scores.crossed)}


@logged("training nulls")
def nulls(plan: TrainingPlan, null: str, settings: Settings | None = None) -> dict[str, Any]:
    """Hold every model against one kind of null models."""
    files, kind = TrainingFiles(settings or load_settings(), plan.training), Null(null)
    ready = files.prepared()
    found = null_tests(ready.data, ready.plan, ready.config, [kind], 1, _say)[kind]
    files.write_null(kind, found)
    return {name: {"p": test.p_value, "draws": test.draws} for name, test in found.items()}


@logged("training overfitting")
def overfitting(plan: TrainingPlan, settings: Settings | None = None) -> TrainingFigures:
    """Judge every model, fit it on everything, write models and report, and log them to MLflow."""
    settings = settings or load_settings()
    files = TrainingFiles(settings, plan.training)
    tracking = Tracking.of(settings, files.prepared(), _say)
    trials = tracking.trials
    files.write_json("trials", {"count": trials.count, "sharpes": list(trials.sharpes), "source": trials.source})
    started = settings.clock()
    findings = _findings(files, trials)
    run = described(settings, _request_of(plan, register=False), findings, trials, started)
    out = report_place(settings, findings.ready)
    with TrainingOutput(out).staged(run.models) as staged:
        run.report["artifacts"] = staged.artifacts
        log_and_register(settings, run, findings, tracking)
        run.report["elapsed_seconds"] = round((settings.clock() - started).total_seconds(), 2)
        staged.publish(run.report)
    run_id, address = run.report["mlflow_run"], tracking.address
    return TrainingFigures(
        passed=run.passed,
        ic_mean={kind: model["ic_mean"] for kind, model in run.report["models"].items()},
        minimum_detectable_ic=run.report["minimum_detectable_ic"],
        report=str(out),
        mlflow_run=run_id,
        url=run_address(address, run_id, MODELS_EXPERIMENT) if address and run_id else None,
    )


@logged("training register")
def register(plan: TrainingPlan, figures: TrainingFigures, settings: Settings | None = None) -> dict[str, Any]:
    """Register what passed and remove the training's files; the models are fitted once more, to the same bytes."""
    settings = settings or load_settings()
    files = TrainingFiles(settings, plan.training)
    counted = files.read_json("trials")
    trials = Trials(counted["count"], tuple(counted["sharpes"]), counted["source"])
    with only_training(settings):
        run = described(settings, _request_of(plan), _findings(files, trials), trials, settings.clock())
        run.report["mlflow_run"] = figures.mlflow_run
        notes = register_passed(settings, run)
    files.remove()
    return {"registered": run.report["registered"], "passed": list(run.passed), "notes": notes}


def _findings(files: TrainingFiles, trials: Trials) -> Findings:
    return conclude(files.prepared(), files.read_scores(), files.read_nulls(), trials)


def _request_of(plan: TrainingPlan, register: bool = True) -> TrainingRequest:
    return TrainingRequest(
        first=plan.first, last=plan.last, data=plan.folder, window=plan.window, register=register, processes=1
    )


def _prices(params: Mapping[str, Any], settings: Settings) -> tuple[str | None, str]:
    """Return the folder of prices, if it is one, and the name of the source; the chain is read from the database."""
    chosen = choose_source(None, data_folder(params, settings), settings)
    if chosen.kind == CHAIN:
        return None, CHAIN
    return chosen.folder_name, research_source(chosen.folder, settings).name


def _window(params: Mapping[str, Any], end: datetime | None, settings: Settings) -> tuple[date, date]:
    first = parse_session(params["from"]) if params.get("from") else FIRST_SESSION
    if params.get("to"):
        return first, parse_session(params["to"])
    if end is None:
        raise InputError("the run has neither an end of its window nor a data interval", "give `to`")
    return first, settings.calendar.session_before(end.date())


def _say(line: str) -> None:
    LOG.info(line)
