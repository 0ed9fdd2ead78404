"""What a notebook shows of a result: a heading, a picture and a table, in one piece of HTML without scripts."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from html import escape
from typing import Any

RATES = (
    "annual_return",
    "annual_volatility",
    "cash_rate",
    "max_drawdown",
    "win_rate",
    "monthly_turnover",
    "annual_cost_drag",
    "deflated_sharpe",
    "probabilistic_sharpe",
)
MONEY = ("initial_cash", "final_nav", "profit", "deposits", "withdrawals", "dividends", "funding")


def shown(name: str, value: Any) -> str:
    """Return a figure as a person reads it: a percentage, dollars or a number; a dash where there is none."""
    if value is None:
        return "\N{EN DASH}"
    if name in MONEY:
        return f"${value:,.2f}"
    if name in RATES:
        return f"{value:.2%}"
    return f"{value:,.2f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)


def page(title: str, about: str, picture: bytes, figures: Mapping[str, Any], warnings: tuple[str, ...] = ()) -> str:
    """Put a result into HTML.

    Parameters
    ----------
    about
        One line of what it rests on, below the title.
    picture
        PNG.
    """
    rows = "".join(
        f"<tr><th style='text-align:left'>{escape(name.replace('_', ' '))}</th>"
        f"<td style='text-align:right'>{escape(shown(name, value))}</td></tr>"
        for name, value in figures.items()
    )
    told = "".join(f"<p><strong>{escape(line)}</strong></p>" for line in warnings)
    image = base64.b64encode(picture).decode()
    return (
        f"<div><h3>{escape(title)}</h3><p>{escape(about)}</p>{told}"
        f"<img alt='{escape(title, quote=True)}' style='max-width:100%' src='data:image/png;base64,{image}'>"
        f"<table>{rows}</table></div>"
    )
