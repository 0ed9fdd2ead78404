"""The tasks of the DAG parameter_sweep: cut the grid into chunks, run each, collect. No book is opened.

Points go into the trading database as they finish, so that chunks may run on several machines and a cancelled run
leaves what it had.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from trading_lib.domain.errors import DataQualityError, InputError
from trading_lib.domain.market.sessions import parse_session
from trading_lib.workflows.dag_runs.parameters import chosen_prices
from trading_lib.workflows.research.sweep.effects import commonest_reason, effect_lines, effect_report
from trading_lib.workflows.research.sweep.grid import GridPoint, expand_grid
from trading_lib.workflows.research.sweep.limits import check_size, load_limits
from trading_lib.workflows.research.sweep.point import OK, PointResult, PointRunner
from trading_lib.workflows.research.sweep.run import prepare
from trading_lib.workflows.setup.settings import Settings, load_settings
from trading_lib.workflows.stages.plans import ChunkPlan
from trading_lib.workflows.stages.research_results import ChunkCounts
from trading_lib.workflows.trade.stage_log import logged

LOG = logging.getLogger(__name__)
POINTS_PER_CHUNK = 25
# Airflow maps a task over no more (core.max_map_length).
MOST_CHUNKS = 1024


@logged("sweep chunks")
def chunks(params: Mapping[str, Any], settings: Settings | None = None) -> list[ChunkPlan]:
    """Cut the form's grid into chunks; a form that makes no sense is an error before any of them runs."""
    settings = settings or load_settings()
    if not params.get("grid"):
        raise InputError("the run has no grid", 'give e.g. {"strategy.signals.momentum_high": [0.08, 0.10]}')
    first, last = parse_session(params["from"]), parse_session(params["to"])
    limits = load_limits()
    points = expand_grid(params["grid"], check_count=lambda count: check_size(count, first, last, limits))
    prices = chosen_prices(params, settings)
    grid = dict(params["grid"])
    asked = {"from": str(first), "to": str(last), "data": prices.data, "grid": grid}
    identity = json.dumps([asked, settings.configuration.config_hash], sort_keys=True)
    sweep = hashlib.sha256(identity.encode()).hexdigest()[:16]
    size = int(params.get("points_per_chunk") or POINTS_PER_CHUNK)
    if len(points) > size * MOST_CHUNKS:
        raise InputError(
            f"{len(points):,} points in chunks of {size} are more than {MOST_CHUNKS} tasks",
            f"set points_per_chunk to {-(-len(points) // MOST_CHUNKS)} or more",
        )
    return [
        ChunkPlan(
            first=first,
            last=last,
            data=prices.data,
            grid=grid,
            sweep=sweep,
            prices=prices.name,
            start=start,
            stop=start + size,
            label=_label(start, size, points),
        )
        for start in range(0, len(points), size)
    ]


def _label(start: int, size: int, points: Sequence[GridPoint]) -> str:
    last = min(start + size, len(points)) - 1
    return f"point {start}" if last == start else f"points {start} to {last}"


@logged("sweep run")
def run(plan: ChunkPlan, settings: Settings | None = None) -> ChunkCounts:
    """Run one chunk; a point that fails is stored as failed and the others stand."""
    from trading_lib.adapters.stores.research.sweeps_and_gates import SweepStore

    settings = settings or load_settings()
    store = SweepStore(settings.engine())
    runner = PointRunner(prepare(settings, plan.first, plan.last, plan.folder))
    points = ok = 0
    for point in expand_grid(plan.grid, start=plan.start, stop=plan.stop):
        result = runner.run(point)
        store.save(plan.sweep, [_row(result)])
        points += 1
        ok += result.status == OK
    return ChunkCounts(sweep=plan.sweep, points=points, ok=ok)


@logged("sweep collect")
def collect(sweep: str, best: int = 5, settings: Settings | None = None) -> dict[str, Any]:
    """Count the sweep's points, name the best by Sharpe ratio and the keys that made no difference.

    Raises
    ------
    DataQualityError
        When every point failed, with the commonest reason.
    """
    from trading_lib.adapters.stores.research.sweeps_and_gates import SweepStore

    rows = SweepStore((settings or load_settings()).engine()).points(sweep)
    done = [row for row in rows if row["status"] == OK]
    if rows and not done:
        reason, count = commonest_reason([row["reason"] for row in rows])
        raise DataQualityError(f"all {len(rows)} points failed, {count} of them by: {reason}", "correct the grid")
    effects = effect_report([(row["values"], json.dumps(row["metrics"], sort_keys=True)) for row in done])
    for line in effect_lines(effects, len(done)):
        LOG.warning(line)
    ranked = sorted(
        (row for row in rows if row["metrics"].get("sharpe") is not None), key=lambda row: -row["metrics"]["sharpe"]
    )
    return {
        "sweep": sweep,
        "points": len(rows),
        "ok": len(done),
        **effects,
        "failed": {str(row["point"]): row["reason"] for row in rows if row["status"] != OK},
        "best": [
            {"point": row["point"], "values": row["values"], "sharpe": row["metrics"]["sharpe"]}
            for row in ranked[:best]
        ],
    }


def _row(result: PointResult) -> dict[str, Any]:
    return {
        "point": result.point.number,
        "values": dict(result.point.values),
        "status": result.status,
        "reason": result.reason,
        "metrics": dict(result.metrics),
        "config_hash": result.config_hash,
    }
