"""Why a weight and an order, for reading and for further use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trading_lib.workflows.explain.lines import explanation_lines


class Explanation:
    """One asset in one session, from the bar to the fill; printed, it is what ``trading explain`` prints.

    Attributes
    ----------
    report
        What ``trading explain --json`` prints: bar, factors, regime, signal, position, sleeves, constraints, risk,
        order, held_back, fill and more. None stands where a value is not known.
    """

    def __init__(self, report: Mapping[str, Any]) -> None:
        self.report: dict[str, Any] = dict(report)

    def __str__(self) -> str:
        return "\n".join(explanation_lines(self.report))

    __repr__ = __str__
