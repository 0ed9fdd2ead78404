"""The stress test as one page and one picture. Input: outcomes and verdict. Output: HTML and PNG."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from trading_lib.backtest.stress.stress import ScenarioOutcome
from trading_lib.domain.market.prices import FloatArray
from trading_lib.performance.tear_sheet.charts import LEVEL_COLOURS

STYLE = """
body { font-family: system-ui, sans-serif; color: #1c2733; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; margin: 1rem 0; }
th, td { text-align: right; padding: 0.35rem 0.6rem; border-bottom: 1px solid #d9dee4; }
th:first-child, td:first-child { text-align: left; }
.passed { color: #1d7a3f; font-weight: 600; } .failed { color: #b03a2e; font-weight: 600; } .absent { color: #777; }
img { max-width: 100%; } footer { color: #667; font-size: 0.85rem; }
"""
COLUMNS = ("Scenario", "From", "To", "Return", "Max drawdown", "Limit", "Highest level", "Sessions at 0/1/2/3/4", "")


def stress_picture(outcomes: Sequence[ScenarioOutcome], tail: FloatArray | None, title: str) -> bytes:
    """Draw every scenario that ran, its risk levels shaded, and the drawdowns of the crisis paths, as PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    ran = [outcome for outcome in outcomes if outcome.nav is not None]
    cells = len(ran) + (tail is not None)
    rows = max(1, (cells + 1) // 2)
    figure = Figure(figsize=(11, 3.1 * rows + 0.6), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title)
    axes = np.atleast_1d(figure.subplots(rows, 2, squeeze=False)).ravel()
    for axis, outcome in zip(axes, ran, strict=False):
        _draw_scenario(axis, outcome)
    if tail is not None:
        _draw_tail(axes[len(ran)], tail)
    for axis in axes[cells:]:
        axis.set_visible(False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()


def _draw_scenario(axis: Any, outcome: ScenarioOutcome) -> None:
    assert outcome.nav is not None
    assert outcome.levels is not None
    assert outcome.sessions is not None
    days = outcome.sessions.astype("datetime64[ms]").astype(object)
    axis.plot(days, outcome.nav / outcome.nav[0] * 100, color="#1f4e79", linewidth=1.2)
    for level, colour in LEVEL_COLOURS.items():
        where = outcome.levels == level
        if where.any():
            bounds = axis.get_xaxis_transform()
            axis.fill_between(days, 0, 1, where=where, transform=bounds, color=colour, alpha=0.6, linewidth=0)
    axis.axhline(100 * (1 - outcome.limit), color="#b03a2e", linewidth=0.8, linestyle="--")
    axis.set_title(f"{outcome.name}: -{outcome.max_drawdown:.1%}, limit {outcome.limit:.0%}", fontsize=10)
    axis.tick_params(axis="x", rotation=25, labelsize=7)
    axis.grid(alpha=0.25)


def _draw_tail(axis: Any, tail: FloatArray) -> None:
    axis.hist(tail * 100, bins=min(20, max(5, len(tail) // 4)), color="#b03a2e", alpha=0.7)
    axis.set_title(f"Maximum drawdown of {len(tail)} crisis paths (%)", fontsize=10)
    axis.grid(alpha=0.25)


def stress_page(outcomes: Sequence[ScenarioOutcome], report: Mapping[str, Any], picture: bytes) -> str:
    """One self-contained page: verdict, table, picture, crisis paths, and what it all rests on."""
    verdict = "passed" if report["passed"] else "failed"
    problems = "".join(f"<li>{html.escape(text)}</li>" for text in report["failures"])
    image = base64.b64encode(picture).decode()
    rows = "".join(_row(outcome) for outcome in outcomes)
    head = "".join(f"<th>{html.escape(name)}</th>" for name in COLUMNS)
    origin = ", ".join(
        f"{name.replace('_', ' ')} {html.escape(str(report[name]))}"
        for name in ("data_source", "config_hash", "code_version")
    )
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Stress test</title>'
        f"<style>{STYLE}</style></head><body><h1>Stress test: "
        f'<span class="{verdict}">{verdict}</span></h1><ul>{problems}</ul>'
        f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
        f'<img alt="Net asset value in each scenario" src="data:image/png;base64,{image}">'
        f"{_tail_table(report.get('crisis_paths'))}<footer>{origin}; costs included</footer></body></html>\n"
    )


def _row(outcome: ScenarioOutcome) -> str:
    if outcome.status != "run":
        text = f"could not run: {html.escape(outcome.reason)}"
        return f'<tr class="absent"><td>{html.escape(outcome.name)}</td><td colspan="8">{text}</td></tr>'
    result = "passed" if outcome.passed else "failed"
    cells = (
        str(outcome.first),
        str(outcome.last),
        f"{outcome.total_return:+.1%}",
        f"{outcome.max_drawdown:.1%}",
        f"{outcome.limit:.0%}",
        str(outcome.max_risk_level),
        "/".join(map(str, outcome.level_sessions)),
    )
    columns = "".join(f"<td>{cell}</td>" for cell in cells)
    absent = f" (without {html.escape(', '.join(outcome.absent_assets))})" if outcome.absent_assets else ""
    name = html.escape(outcome.name) + absent
    return f'<tr><td>{name}</td>{columns}<td class="{result}">{result}</td></tr>'


def _tail_table(tail: Mapping[str, Any] | None) -> str:
    if not tail or tail["status"] != "run":
        reason = html.escape(tail["reason"]) if tail else "not asked for"
        return f'<h2>Crisis paths</h2><p class="absent">{reason}</p>'
    cells = "".join(
        f"<tr><td>{name} of the paths lose at most</td><td>{value:.1%}</td></tr>"
        for name, value in tail["max_drawdown_quantiles"].items()
    )
    return (
        f"<h2>Crisis paths</h2><p>{tail['paths']} paths of {tail['sessions']} sessions from blocks of "
        f"{html.escape(', '.join(tail['drawn_from']))}; {tail['share_reaching_level_4']:.0%} reach level 4.</p>"
        f"<table><tbody>{cells}</tbody></table>"
    )
