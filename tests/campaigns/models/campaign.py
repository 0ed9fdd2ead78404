"""Worlds -> what a training found in them, counted, and what of it is not as it has to be."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tests.campaigns.models.worlds import World, judge_world

ALL = ("ridge", "lightgbm", "xgboost", "ensemble")
TESTS = ("least_ic", "labels_shuffled", "labels_rotated", "better_than_baseline")
NOISE_SEEDS, PLANTED_SEEDS = range(20), range(10)
PLANTED_IC, SMALL_IC = 0.10, 0.05
# Of 20 noise worlds, how many may pass any single test; of 10 planted ones, how many are found at least.
MOST_NOISE, LEAST_FOUND = 4, 9
# Coefficients of noise over three years have a standard error above the least one: a quarter of them reach it.
NO_TEST = (3, "least_ic")

Judged = dict[str, Any]


def worlds(
    noise: Sequence[int], planted: Sequence[int], models: tuple[str, ...], noise_years: Sequence[int] = (16, 3)
) -> list[World]:
    """List the worlds of a campaign: planted ones, noise of so many years, and less planted in three years."""
    return [
        *(World(16, PLANTED_IC, seed, models) for seed in planted),
        *(World(years, 0.0, seed, models) for years in noise_years for seed in noise),
        *(World(3, SMALL_IC, seed, models) for seed in planted),
    ]


def judged(listed: Iterable[World], processes: int, tell: Callable[[Judged], None]) -> Iterator[Judged]:
    """Judge each world, several at once."""
    if processes <= 1:
        found: Iterable[Judged] = map(judge_world, listed)
        yield from _telling(found, tell)
        return
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        yield from _telling(pool.imap_unordered(judge_world, listed), tell)


def _telling(found: Iterable[Judged], tell: Callable[[Judged], None]) -> Iterator[Judged]:
    for one in found:
        tell(one)
        yield one


def counted(found: Sequence[Judged]) -> dict[str, Any]:
    """Count by group of worlds and kind of model what passed which test, and how the bounds lie."""
    groups: dict[str, list[Judged]] = {}
    for one in sorted(found, key=_seed):
        ic, years = one["world"]["ic"], one["world"]["years"]
        what = {PLANTED_IC: "planted", SMALL_IC: "small"}.get(ic, f"noise_{years}_years")
        groups.setdefault(what, []).append(one)
    return {name: _group(group) for name, group in groups.items()}


def findings(groups: Mapping[str, Any]) -> list[str]:
    """List what is not as it has to be, in a line each."""
    lines = []
    for name in [name for name in groups if name.startswith("noise")]:
        for kind, model in groups[name]["models"].items():
            lines += [f"{name}: noise passes as {kind}"] * (model["passed"] > 0)
            for test, count in model["tests"].items():
                if count > MOST_NOISE and (groups[name]["years"], test) != NO_TEST:
                    lines.append(f"{name}, {kind}: {count} worlds pass {test}")
    if "planted" in groups:
        planted = groups["planted"]
        needed = LEAST_FOUND * len(planted["seeds"]) / len(PLANTED_SEEDS)
        best = max(model["found"] for model in planted["models"].values())
        if best < needed:
            lines.append(f"no model finds more than {best} of {len(planted['seeds'])} planted coefficients")
    if "small" in groups and min(groups["small"]["minimum_detectable_ic"]) <= SMALL_IC:
        lines.append(f"{SMALL_IC} over three years is said to be detectable")
    return lines


def _group(group: Sequence[Judged]) -> dict[str, Any]:
    kinds = group[0]["models"]
    return {
        "years": group[0]["world"]["years"],
        "ic": group[0]["world"]["ic"],
        "seeds": [_seed(one) for one in group],
        "minimum_detectable_ic": [one["minimum_detectable_ic"] for one in group],
        "baseline_ic": {name: [one["baselines"][name] for one in group] for name in group[0]["baselines"]},
        "models": {kind: _model([one["models"][kind] for one in group]) for kind in kinds},
        "processor_seconds": round(sum(one["seconds"] for one in group)),
    }


def _model(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    lists = ("ic", "shuffled_p", "rotated_p", "beats_baseline_p", "active_sharpe", "train_gap", "path_variance")
    return {
        "found": sum(row["found"] for row in rows),
        "passed": sum(row["passed"] for row in rows),
        "tests": {test: sum(row["tests"][test] for row in rows) for test in TESTS},
        "bounds": {name: _spread([row[name] for row in rows]) for name in ("train_gap", "path_variance")},
        **{name: [row[name] for row in rows] for name in lists},
    }


def _spread(values: Sequence[float]) -> dict[str, float]:
    return {
        "least": min(values),
        "median": round(float(np.median(values)), 4),
        "most": max(values),
    }


def _seed(one: Judged) -> int:
    seed: int = one["world"]["seed"]
    return seed
