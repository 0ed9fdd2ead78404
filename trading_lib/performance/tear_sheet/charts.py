"""Pictures of a run. Input: sessions, net asset values, risk levels. Output: PNG bytes."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from trading_lib.domain.market.prices import DateArray, FloatArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LEVEL_COLOURS = {1: "#ffe9a8", 2: "#ffc37a", 3: "#ff9a6b", 4: "#e2574c"}
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
CURVE_STYLES = (("#1f4e79", "-"), ("#d55e00", "--"), ("#009e73", ":"), ("#7a7a7a", "-."))


def equity_chart(sessions: DateArray, nav: FloatArray, levels: NDArray[np.int8], title: str, footer: str) -> bytes:
    """Draw net asset value above drawdown, with the risk levels as shading.

    Parameters
    ----------
    sessions, nav, levels
        Shape (S,).
    footer
        One line that says where the data comes from and what the run assumed.
    """
    figure = blank(5.6)
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    days = sessions.astype("datetime64[ms]").astype(object)
    top.plot(days, nav, color="#1f4e79", linewidth=1.2)
    top.set_ylabel("Net asset value ($)")
    top.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    top.set_title(title)
    top.margins(x=0.01)
    drawdown = nav / np.maximum.accumulate(nav) - 1.0
    bottom.fill_between(days, drawdown * 100, 0, color="#b03a2e", alpha=0.6, linewidth=0)
    bottom.set_ylabel("Drawdown (%)")
    for level, colour in LEVEL_COLOURS.items():
        if (levels == level).any():
            top.fill_between(
                days,
                0,
                1,
                where=list(levels == level),
                transform=top.get_xaxis_transform(),
                color=colour,
                alpha=0.6,
                linewidth=0,
                label=f"risk level {level}",
            )
    if (levels > 0).any():
        top.legend(loc="upper left", frameon=False, fontsize=8)
    for axis in (top, bottom):
        axis.grid(alpha=0.25)
        axis.spines[["top", "right"]].set_visible(False)
    return as_png(figure, footer)


def comparison_chart(
    sessions: DateArray,
    curves: Mapping[str, FloatArray],
    title: str,
    footer: str,
    axis_name: str = "Net asset value ($, log)",
) -> bytes:
    """Draw values on one logarithmic axis, the first curve as the main one.

    Parameters
    ----------
    curves
        Name -> shape (S,), positive.
    """
    figure = blank(4.8)
    axis = figure.subplots()
    days = sessions.astype("datetime64[ms]").astype(object)
    for number, (name, values) in enumerate(curves.items()):
        colour, style = CURVE_STYLES[number % len(CURVE_STYLES)]
        axis.plot(days, values, color=colour, linestyle=style, linewidth=1.0 if number else 1.8, label=name)
    axis.set_yscale("log")
    decimals = 0
    if max(float(values.max()) for values in curves.values()) < 100:
        from matplotlib.ticker import LogLocator

        # Values that begin at 1 differ by their decimals, and hardly reach the next power of ten.
        decimals = 1
        axis.yaxis.set_minor_locator(LogLocator(subs=(1.2, 1.4, 1.6, 1.8, 2, 2.5, 3, 4, 5, 6, 8)))
    axis.yaxis.set_major_formatter(lambda value, _: f"{value:,.{decimals}f}")
    axis.yaxis.set_minor_formatter(lambda value, _: f"{value:,.{decimals}f}")
    axis.tick_params(axis="y", which="minor", labelsize=7)
    axis.set_ylabel(axis_name)
    axis.set_title(title)
    axis.margins(x=0.01)
    axis.grid(alpha=0.25, which="both")
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(loc="upper left", frameon=False, fontsize=8)
    return as_png(figure, footer)


def monthly_chart(years: tuple[int, ...], returns: FloatArray, title: str, footer: str) -> bytes:
    """Draw the returns of all months as a heat map; blue is a gain, orange a loss.

    Parameters
    ----------
    returns
        Shape (years, 12), fractions; NaN stays blank.
    """
    figure = blank(1.4 + 0.32 * max(len(years), 1))
    axis = figure.subplots()
    axis.imshow(returns, cmap="PuOr", vmin=-0.08, vmax=0.08, aspect="auto")
    for (row, column), value in np.ndenumerate(returns):
        if np.isfinite(value):
            axis.text(column, row, f"{value * 100:.1f}", ha="center", va="center", fontsize=8)
    axis.set_xticks(range(12), MONTHS)
    axis.set_yticks(range(len(years)), [str(year) for year in years])
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
    axis.set_title(f"{title} (%)")
    return as_png(figure, footer)


def positions_chart(weights: Mapping[str, float], title: str, footer: str) -> bytes:
    """Draw the weight of each position, the largest on top.

    Parameters
    ----------
    weights
        Symbol -> part of the net asset value.
    """
    ordered = sorted(weights.items(), key=lambda item: item[1])
    figure = blank(1.4 + 0.32 * max(len(ordered), 1))
    axis = figure.subplots()
    bars = axis.barh([name for name, _ in ordered], [weight * 100 for _, weight in ordered], color="#1f4e79")
    axis.bar_label(bars, fmt="%.1f", padding=3, fontsize=8)
    axis.set_xlabel("Weight (%)")
    axis.grid(alpha=0.25, axis="x")
    axis.spines[["top", "right"]].set_visible(False)
    axis.set_title(title)
    return as_png(figure, footer)


def blank(height: float) -> Figure:
    """Return an empty figure of this height in inches."""
    # Drawing without pyplot leaves no global state behind and needs no display.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def as_png(figure: Figure, footer: str) -> bytes:
    """Write the figure with a line below it that says where its data comes from."""
    figure.supxlabel(footer, fontsize=8, color="#555555")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()
