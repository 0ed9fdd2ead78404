"""The report of a training: plain values for JSON, and a table for people."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from trading_lib.performance.significance.deflated_sharpe import Trials
    from trading_lib.workflows.learning.training.request import TrainingRequest
    from trading_lib.workflows.learning.training.steps import Findings

WIDTH = 18
COLUMNS = (
    "IC",
    "t (NW)",
    "t (apart)",
    "null p",
    "timing p",
    "Sharpe",
    "active",
    "wf IC",
    "wf active",
    "gap",
    "PBO",
    "DSR",
    "beats p",
)


def training_report(request: TrainingRequest, findings: Findings, trials: Trials, version: str) -> dict[str, Any]:
    """Return the report of a training; what becomes of it (artifacts, registered) is added by who does it.

    Parameters
    ----------
    version
        Of the code.
    """
    ready, verdicts = findings.ready, findings.verdicts
    data, config = ready.data, ready.config
    book = config.book
    models = {
        kind: {
            **evidence.report(),
            "importance": findings.importance[kind],
            "null_ic": {null: tests[kind].ics for null, tests in findings.nulls.items()},
        }
        for kind, evidence in verdicts.models.items()
    }
    report = {
        "data_source": ready.data_source,
        "from": str(request.first),
        "to": str(request.last),
        "splits": len(ready.plan.splits),
        "paths": len(ready.plan.paths),
        "sessions": len(data.sessions),
        "assets": len(data.symbols),
        "rows": len(data),
        "features": data.features,
        "symbols": data.symbols,
        "first_session": str(data.sessions[0]),
        "last_session": str(data.sessions[-1]),
        "window": str(config.window),
        "models": models,
        "baselines": verdicts.baselines,
        "best_baseline": verdicts.best_baseline,
        "best_earning_baseline": verdicts.best_earning_baseline,
        "minimum_detectable_ic": verdicts.minimum_detectable_ic,
        "passed": [kind for kind, evidence in verdicts.models.items() if evidence.passed],
        "registered": [],
        "artifacts": [],
        "costs": {"rate": book.cost_rate, "positions": book.positions, "tranches": book.tranches, "lag": book.lag},
        "trials": {"count": max(trials.count, len(config.models)), "source": trials.source},
        "seed": config.seed,
        "config_hash": config.digest,
        "data_hash": data.digest,
        "code_version": version,
        "simulated": ready.simulated,
        "notes": list(ready.notes),
        "mlflow_run": None,
        "elapsed_seconds": None,
    }
    plain: dict[str, Any] = plain_values(report)
    return plain


def plain_values(value: Any) -> Any:
    """Return what JSON can say: lists, text, numbers; None for NaN and the infinite, which it has no word for."""
    if is_dataclass(value) and not isinstance(value, type):
        return plain_values(asdict(value))
    if isinstance(value, Mapping):
        return {str(name): plain_values(item) for name, item in value.items()}
    if isinstance(value, np.ndarray):
        return plain_values(value.tolist())
    if isinstance(value, list | tuple):
        return [plain_values(item) for item in value]
    if isinstance(value, np.generic):
        return plain_values(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def training_lines(report: Mapping[str, Any]) -> list[str]:
    """Tell a report: trained models beside the untrained baselines, and plainly what passes."""
    costs, trials = report["costs"], report["trials"]
    lines = [
        f"Training on {report['data_source']} data, {report['from']} to {report['to']}: {report['sessions']:,} sessions"
        f", {report['assets']} assets, {report['rows']:,} rows, {len(report['features'])} features, "
        f"window {report['window']}",
        f"  {report['splits']} splits, {report['paths']} paths; book of the {costs['positions']} highest in "
        f"{costs['tranches']} tranches, {costs['rate']:.2%} a trade; {trials['count']} trials ({trials['source']})",
        f"  {'':<{WIDTH}}{''.join(f'{name:>10}' for name in COLUMNS)}",
    ]
    lines += [_line(name, _figures(model)) for name, model in report["models"].items()]
    lines += [_line(name, _baseline_figures(one)) for name, one in report["baselines"].items()]
    least = report["minimum_detectable_ic"]
    lines.append(f"  smallest IC that so many sessions can tell from none: {_number(least, 3).strip()}")
    for name, model in report["models"].items():
        lines += [f"  {name}: {reason}" for reason in model["reasons"]]
    lines += [f"  {note}" for note in report["notes"]]
    return [*lines, f"  {_verdict(report)}", f"  {report['elapsed_seconds']} s"]


def _verdict(report: Mapping[str, Any]) -> str:
    passed = [name for name, model in report["models"].items() if model["passed"]]
    if not passed:
        return "nothing passes: models stay off"
    registered = ", ".join(f"{one['model']} as version {one['version']}" for one in report["registered"])
    return f"passed: {', '.join(passed)}; {f'registered: {registered}' if registered else 'nothing was registered'}"


def _line(name: str, figures: list[str]) -> str:
    return f"  {name:<{WIDTH}}{''.join(f'{figure:>10}' for figure in figures)}"


def _figures(model: Mapping[str, Any]) -> list[str]:
    forward = model["walk_forward"]
    return [
        _number(model["ic_mean"], 3),
        _number(model["ic_t_nw"], 1),
        _number(model["ic_t_nonoverlap"], 1),
        _number(model["ic_null_p"], 3),
        _number(model["timing_null_p"], 3),
        _number(_mean(model["sharpe_by_path"]), 2),
        _number(_mean(model["active_sharpe_by_path"]), 2),
        _number(forward["ic_mean"], 3),
        _number(forward["active_sharpe"], 2),
        _number(model["train_gap"], 2),
        _number(model["pbo"], 2),
        _number(model["deflated_sharpe"], 2),
        _number(model["beats_baseline_p"], 3),
    ]


def _baseline_figures(one: Mapping[str, Any]) -> list[str]:
    forward = one["walk_forward"]
    return [
        _number(one["ic_mean"], 3),
        _number(one["ic_t_nw"], 1),
        _number(one["ic_t_nonoverlap"], 1),
        "",
        "",
        _number(one["sharpe"], 2),
        _number(one["active_sharpe"], 2),
        _number(forward["ic_mean"], 3),
        _number(forward["active_sharpe"], 2),
        *[""] * 4,
    ]


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
