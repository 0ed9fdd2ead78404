"""Effects of a sweep's grid: keys whose values make no difference, and the most common failure."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

# A point's values, and anything that is equal exactly when two points came to the same.
Finding = tuple[Mapping[str, Any], Any]


def effect_report(results: Sequence[Finding]) -> dict[str, Any]:
    """Say whether all points came to the same, and which keys changed nothing wherever only they differed."""
    alike = len(results) > 1 and len({outcome for _, outcome in results}) == 1
    return {"all_equal": alike, "without_effect": keys_without_effect(results)}


def keys_without_effect(results: Sequence[Finding]) -> list[str]:
    """Return the keys that changed no result, of those that were varied while all others stood still."""
    keys = list(dict.fromkeys(key for values, _ in results for key in values))
    texts = [({key: json.dumps(value, default=str) for key, value in values.items()}, o) for values, o in results]
    return [key for key in keys if _changes_nothing(key, texts)]


def _changes_nothing(key: str, results: Sequence[tuple[Mapping[str, str], Any]]) -> bool:
    groups: dict[tuple[tuple[str, str], ...], list[tuple[str | None, Any]]] = defaultdict(list)
    for values, outcome in results:
        others = tuple(sorted((name, text) for name, text in values.items() if name != key))
        groups[others].append((values.get(key), outcome))
    varied = [group for group in groups.values() if len({value for value, _ in group}) > 1]
    return bool(varied) and all(len({outcome for _, outcome in group}) == 1 for group in varied)


def commonest_reason(reasons: Sequence[str]) -> tuple[str, int]:
    """Return the reason most points failed for, and how many; reasons that differ in a number are one."""
    counts = Counter(re.sub(r"-?\d[\d.,]*", "#", reason) for reason in reasons)
    kind, count = counts.most_common(1)[0]
    return next(r for r in reasons if re.sub(r"-?\d[\d.,]*", "#", r) == kind), count


def effect_lines(report: Mapping[str, Any], points: int) -> list[str]:
    """Report it as text; no line when every key makes a difference."""
    keys = ", ".join(report["without_effect"])
    if report["all_equal"]:
        why = f"; {keys} changed nothing" if keys else ""
        return [f"all {points} finished points came to the same result{why}: try other keys or values further apart"]
    return [f"no effect: whatever {keys} was, the results were the same"] if keys else []
