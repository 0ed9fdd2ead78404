"""What a notebook shows of a result: a heading, a picture and a table, in one piece of HTML without scripts."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from html import escape
from typing import Any

from trading_lib.performance.metrics.metric import MetricTable, Unit
from trading_lib.performance.metrics.table import METRICS

# What reports hold besides the metrics of the table.
FURTHER = {
    **dict.fromkeys(("initial_cash", "profit", "deposits", "withdrawals", "dividends", "funding"), Unit.DOLLARS),
    **dict.fromkeys(("deflated_sharpe", "probabilistic_sharpe"), Unit.PERCENT),
}


def shown(name: str, value: Any, table: MetricTable = METRICS) -> str:
    """Return a figure as a person reads it: a percentage, dollars or a number; a dash where there is none."""
    unit = table[name].unit if name in table else FURTHER.get(name)
    if value is None:
        return "\N{EN DASH}"
    if unit is Unit.DOLLARS:
        return f"${value:,.2f}"
    if unit is Unit.PERCENT:
        return f"{value:.2%}"
    return f"{value:,.2f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)


def labelled(name: str, table: MetricTable = METRICS) -> str:
    """Return what a person calls a figure: the metric's label, or its key in words."""
    return table[name].label if name in table else name.replace("_", " ").capitalize()


def page(
    title: str,
    about: str,
    picture: bytes,
    figures: Mapping[str, Any],
    warnings: tuple[str, ...] = (),
    table: MetricTable = METRICS,
) -> str:
    """Put a result into HTML.

    Parameters
    ----------
    about
        One line of what it rests on, below the title.
    picture
        PNG.
    table
        The metrics among the figures, with their units.
    """
    rows = "".join(
        f"<tr><th style='text-align:left'>{escape(labelled(name, table))}</th>"
        f"<td style='text-align:right'>{escape(shown(name, value, table))}</td></tr>"
        for name, value in figures.items()
    )
    told = "".join(f"<p><strong>{escape(line)}</strong></p>" for line in warnings)
    image = base64.b64encode(picture).decode()
    return (
        f"<div><h3>{escape(title)}</h3><p>{escape(about)}</p>{told}"
        f"<img alt='{escape(title, quote=True)}' style='max-width:100%' src='data:image/png;base64,{image}'>"
        f"<table>{rows}</table></div>"
    )
