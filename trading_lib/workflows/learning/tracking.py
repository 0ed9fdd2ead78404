"""A training in MLflow: how many models were tried before, and the training as a run with its models and splits."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from trading_lib.adapters.mlflow.trainings import (
    ACTIVE_SHARPE,
    EarlierTraining,
    Point,
    TrackedPart,
    TrackedTraining,
    TrainingTracker,
)
from trading_lib.domain.errors import StorageUnavailableError
from trading_lib.learning.evidence.track import Track
from trading_lib.performance.metrics.formulas import SESSIONS_PER_YEAR
from trading_lib.performance.significance.deflated_sharpe import Trials
from trading_lib.workflows.learning.pictures import training_pictures
from trading_lib.workflows.learning.training.steps import Findings, Prepared
from trading_lib.workflows.research.tracking import tracking_uri
from trading_lib.workflows.setup.settings import Settings

ALONE = "this training alone"
FIGURES = ("ic_mean", "ic_t_nw", "ic_t_nonoverlap", "ic_null_p", "timing_null_p", "train_gap", "beats_baseline_p")
# They depend on what else was tried.
CONTEXT = ("pbo", "deflated_sharpe", "passed")
# Sessions whose mean coefficient is one point of a curve.
MONTH = 21
REPORT_FILE = "report.json"


@dataclass(slots=True)
class Tracking:
    """The MLflow server of a training, if there is one.

    Attributes
    ----------
    address
        None where none can be reached.
    trials
        Models that were tried on this data up to now, those of this training included.
    notes
        What the report has to say about it.
    """

    address: str | None
    key: str
    trials: Trials
    notes: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, settings: Settings, ready: Prepared, say: Callable[[str], None]) -> Tracking:
        """Look for the server, and count what was tried."""
        address, key, alone = tracking_uri(settings), training_key(ready), trials_alone(ready)
        if address is None:
            return cls(None, key, alone, ["no MLflow server is running: trials of this training alone are counted"])
        try:
            earlier = TrainingTracker(address).earlier()
        except StorageUnavailableError as error:
            say(str(error))
            return cls(None, key, alone, [f"{error}; trials of this training alone are counted"])
        return cls(address, key, trials_behind(ready, key, earlier))

    def log(self, report: Mapping[str, Any], findings: Findings) -> str | None:
        """Log the finished training and return its run's id; None where no server takes it, which is noted."""
        if self.address is None:
            return None
        try:
            return TrainingTracker(self.address).log(tracked(self.key, report, findings))
        except StorageUnavailableError as error:
            self.notes.append(str(error))
            return None


def trials_alone(ready: Prepared) -> Trials:
    """Count the models of this training."""
    return Trials(len(ready.config.models), (), ALONE)


def training_key(ready: Prepared) -> str:
    """Name what is tried: the configuration on the data; code and moment make no other trial of it."""
    content = [ready.data_source, ready.data.digest, ready.config.digest]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]


def trials_behind(ready: Prepared, key: str, earlier: list[EarlierTraining]) -> Trials:
    """Count the models that were tried on the same source, these included; the same training again counts once.

    Only those of the same sessions tell how much active Sharpe ratios vary from trial to trial.
    """
    others = [one for one in earlier if one.data_source == ready.data_source and one.key != key]
    first, last = str(ready.data.sessions[0]), str(ready.data.sessions[-1])
    alike = [sharpe for one in others if (one.first, one.last) == (first, last) for sharpe in one.active_sharpes]
    return Trials(
        count=len(ready.config.models) + sum(one.trials for one in others),
        sharpes=tuple(sharpe / math.sqrt(SESSIONS_PER_YEAR) for sharpe in alike),
        source=f"models trained on {ready.data_source} data in MLflow, these included",
    )


def tracked(key: str, report: Mapping[str, Any], findings: Findings) -> TrackedTraining:
    """Describe a training for MLflow."""
    models = report["models"]
    best = max(models, key=lambda kind: models[kind]["ic_mean"] or -math.inf)
    about = _about(report)
    files = {REPORT_FILE: json.dumps(report, indent=2, allow_nan=False).encode()}
    files |= {name: draw() for name, draw in training_pictures(findings, report).items()}
    for kind, model in findings.models.items():
        files |= {f"models/{kind}/{name}": content for name, content in model.files().items()}
    figures, context = _figures(models[best])
    active = {f"{ACTIVE_SHARPE}{kind}": _mean(one["active_sharpe_by_path"]) for kind, one in models.items()}
    context["passed"] = float(len(report["passed"]))
    return TrackedTraining(
        name=f"{report['data_source']} {report['from']} to {report['to']}",
        key=key,
        parameters={"model": f"best of {len(models)}: {best}", **about, **_settings(findings)},
        metrics={
            **figures,
            **active,
            "sessions": float(report["sessions"]),
            "rows": float(report["rows"]),
            "minimum_detectable_ic": report["minimum_detectable_ic"],
        },
        context=context,
        parts=[*_models(report, findings), *_splits(report, findings)],
        trials=len(models),
        tags={"data_source": str(report["data_source"]), "config_hash": str(report["config_hash"])},
        files=files,
        note=_note(report),
    )


def _about(report: Mapping[str, Any]) -> dict[str, str]:
    # By the sessions that were learned from: of the window asked for, labels at its end are not there yet.
    return {
        "data_source": str(report["data_source"]),
        "from": str(report["first_session"]),
        "to": str(report["last_session"]),
        "window": str(report["window"]),
        "config_hash": str(report["config_hash"]),
        "code_version": str(report["code_version"]),
    }


def _settings(findings: Findings) -> dict[str, str]:
    content = findings.ready.config.model_dump(mode="json", exclude={"lifecycle", "window"})
    return {
        f"{name}.{key}" if isinstance(value, dict) else name: str(item)
        for name, value in content.items()
        for key, item in (value if isinstance(value, dict) else {name: value}).items()
    }


def _models(report: Mapping[str, Any], findings: Findings) -> Iterator[TrackedPart]:
    about = _about(report)
    for kind, model in report["models"].items():
        figures, context = _figures(model)
        yield TrackedPart(kind, "model", {"model": kind, **about}, {**figures, **context}, _curves(findings, kind))
    for name, one in report["baselines"].items():
        forward = one["walk_forward"]
        figures = {key: one[key] for key in ("ic_mean", "ic_t_nw", "ic_t_nonoverlap", "sharpe", "active_sharpe")}
        figures |= {"walk_forward_ic": forward["ic_mean"], "walk_forward_active_sharpe": forward["active_sharpe"]}
        yield TrackedPart(name, "baseline", {"model": f"{name} (untrained)", **about}, figures, _curves(findings, name))


def _figures(model: Mapping[str, Any]) -> tuple[dict[str, float | None], dict[str, float | None]]:
    forward = model["walk_forward"]
    figures = {name: model[name] for name in FIGURES}
    figures |= {
        "sharpe": _mean(model["sharpe_by_path"]),
        "active_sharpe": _mean(model["active_sharpe_by_path"]),
        "walk_forward_ic": forward["ic_mean"],
        "walk_forward_active_sharpe": forward["active_sharpe"],
        "momentum_neutral_ic": model["momentum_neutral_ic"],
    }
    return figures, {name: None if model[name] is None else float(model[name]) for name in CONTEXT}


def _curves(findings: Findings, name: str) -> dict[str, list[Point]]:
    """Coefficients by month with its last day as their time, and figures by path."""
    track: Track = findings.verdicts.tracks[name]
    days = findings.ready.data.sessions.astype("datetime64[ms]").astype(np.int64)
    months = [
        (number, int(days[min(start + MONTH, len(days)) - 1]), float(np.nanmean(values)))
        for number, start in enumerate(range(0, len(days), MONTH))
        if np.isfinite(values := track.ic[start : start + MONTH]).any()
    ]
    by_path = {"ic_of_path": track.ic_by_path, "active_sharpe_of_path": track.active_sharpe_by_path}
    last = int(days[-1])
    return {
        "ic_of_month": months,
        **{key: [(path, last, value) for path, value in enumerate(values)] for key, values in by_path.items()},
    }


def _splits(report: Mapping[str, Any], findings: Findings) -> Iterator[TrackedPart]:
    plan, tracks = findings.ready.plan, findings.verdicts.tracks
    for split in plan.splits:
        metrics: dict[str, float | None] = {}
        for kind in report["models"]:
            ics = [
                tracks[kind].ics[int(np.flatnonzero(plan.paths[:, fold] == split.number)[0]), plan.folds[fold]]
                for fold in split.test_folds
            ]
            metrics[f"ic_{kind}"] = float(np.nanmean(np.concatenate(ics)))
        # Beside the models' own, so that a bad split stands out in the table.
        metrics["ic_mean"] = float(np.nanmean([value for value in metrics.values() if value is not None]))
        metrics |= {"train_sessions": float(len(split.train)), "test_sessions": float(len(split.test))}
        folds = " and ".join(str(fold + 1) for fold in split.test_folds)
        name = f"split {split.number + 1}"
        yield TrackedPart(name, "split", {"model": f"{name}: tests folds {folds}", **_about(report)}, metrics)


def _note(report: Mapping[str, Any]) -> str:
    from trading_lib.workflows.learning.training.report import training_lines

    table = "\n".join(training_lines(report))
    return f"```\n{table}\n```"


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None
