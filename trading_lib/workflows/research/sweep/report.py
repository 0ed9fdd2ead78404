"""The report of a sweep: its best points, their significance after so many trials, and its files."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from trading_lib.adapters.files.output_file import write_whole
from trading_lib.domain.errors import InputError
from trading_lib.domain.market.prices import FloatArray
from trading_lib.performance.metrics.formulas import SESSIONS_PER_YEAR
from trading_lib.performance.significance.deflated_sharpe import judge_sharpe
from trading_lib.performance.significance.overfitting import probability_of_overfitting
from trading_lib.workflows.research.sweep.effects import commonest_reason, effect_report
from trading_lib.workflows.research.sweep.point import CANCELLED, FAILED, OK, SCREENED, PointResult
from trading_lib.workflows.research.sweep.run import SweepResult

SUFFIXES = (".json", ".csv", ".parquet")
# Fewer sessions do not fill the blocks that the probability of overfitting cuts the window into.
SESSIONS_FOR_OVERFITTING = 160


def check_suffix(path: Path) -> None:
    """Raise `InputError` unless the file's name says how to write it."""
    if path.suffix.lower() not in SUFFIXES:
        raise InputError(f"{path} has no known suffix", f"end it in {', '.join(SUFFIXES)}")


def write_points(path: Path, sweep: SweepResult) -> None:
    """Write one row per point, as JSON, CSV or Parquet by the file's suffix."""
    check_suffix(path)
    rows = [result.row() for result in sweep.results]
    if path.suffix.lower() == ".json":
        content = json.dumps(rows, indent=1, default=str).encode() + b"\n"
    else:
        content = _table(rows, path.suffix.lower())
    write_whole(path, content)


def _table(rows: list[dict[str, Any]], suffix: str) -> bytes:
    flat = [{key: _cell(value) for key, value in row.items()} for row in rows]
    frame = pd.DataFrame(flat)
    if suffix == ".csv":
        return frame.to_csv(index=False).encode()
    buffer = io.BytesIO()
    # A column that mixes kinds of values, such as a grid of numbers and words, has no type but text.
    mixed = [name for name in frame if frame[name].dtype == object]
    frame.astype(dict.fromkeys(mixed, "str")).to_parquet(buffer, index=False)
    return buffer.getvalue()


def _cell(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, list | dict) else value


def summarise(sweep: SweepResult, best: int = 5) -> dict[str, Any]:
    """Count the points, name the best by Sharpe ratio, and say how likely their choice is overfitted.

    The best point's Sharpe ratio is deflated by the number of points that were tried; one that was only screened was
    tried, too.
    """
    screened = [result for result in sweep.results if result.screened]
    # Of those that were screened only the best are run: what they say of one another is no sample of all.
    tried = {r.point.number: r.screened["screened_sharpe"] for r in screened}
    done = [result for result in sweep.results if result.status == OK]
    ranked = sorted(done, key=lambda r: (-_number(r.metrics["sharpe"]), r.point.number))
    tried |= {r.point.number: r.metrics["sharpe"] for r in done}
    sharpes = [sharpe / math.sqrt(SESSIONS_PER_YEAR) for sharpe in tried.values() if sharpe is not None]
    evidence = judge_sharpe(_returns(ranked[0]), max(len(tried), 1), sharpes) if ranked else None
    return {
        "data_source": sweep.data_source,
        "from": str(sweep.first),
        "to": str(sweep.last),
        "points": len(sweep.results),
        "ok": len(done),
        "failed": sweep.count(FAILED),
        "cancelled": sweep.count(CANCELLED),
        "trials": len(tried),
        "best": [result.row() for result in ranked[:best]],
        "best_deflated_sharpe": evidence.deflated if evidence else None,
        "probability_of_overfitting": None if screened else _overfitting(done),
        "sleeve_faults": {str(r.point.number): int(n) for r in done if (n := r.metrics["sleeve_faults"])},
        **effect_report([(r.point.values, r.nav.tobytes()) for r in done if r.nav is not None]),
        "commonest_failure": _commonest_failure(sweep),
        "failures": {str(r.point.number): r.reason for r in sweep.results if r.status == FAILED},
        **({"screened": sweep.count(SCREENED), "rank_correlation": rank_correlation(done)} if screened else {}),
    }


def _commonest_failure(sweep: SweepResult) -> dict[str, Any] | None:
    reasons = [result.reason for result in sweep.results if result.status == FAILED]
    if not reasons:
        return None
    reason, points = commonest_reason(reasons)
    return {"reason": reason, "points": points}


def rank_correlation(done: Sequence[PointResult]) -> float | None:
    """Spearman's correlation between screened and full Sharpe ratio; None with fewer than three, or all alike."""
    pairs = [(r.screened.get("screened_sharpe"), r.metrics["sharpe"]) for r in done]
    complete = [pair for pair in pairs if None not in pair]
    ranks = pd.DataFrame(complete, columns=["screened", "full"], dtype=float).rank()
    if len(ranks) < 3 or (ranks.nunique() < 2).any():
        return None
    return float(np.corrcoef(ranks["screened"], ranks["full"])[0, 1])


def _number(value: float | None) -> float:
    return -math.inf if value is None else value


def _returns(result: PointResult) -> FloatArray:
    assert result.nav is not None
    # Over the average cash rate, which is the same for all points.
    cash = (result.metrics["cash_rate"] or 0.0) / SESSIONS_PER_YEAR
    returns: FloatArray = result.nav[1:] / result.nav[:-1] - 1.0 - cash
    return returns


def _overfitting(done: list[PointResult]) -> float | None:
    """Return the PBO over the points whose returns differ, None with fewer than two or too few sessions."""
    curves = {_returns(result).tobytes(): _returns(result) for result in done}
    if len(curves) < 2 or len(next(iter(curves.values()))) < SESSIONS_FOR_OVERFITTING:
        return None
    return probability_of_overfitting(np.column_stack(list(curves.values()))).probability
