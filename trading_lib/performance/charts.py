"""Pictures of a run. Input: sessions, net asset values, risk levels. Output: PNG bytes."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray

from trading_lib.domain.prices import DateArray, FloatArray

LEVEL_COLOURS = {1: "#ffe9a8", 2: "#ffc37a", 3: "#ff9a6b", 4: "#e2574c"}


def equity_chart(sessions: DateArray, nav: FloatArray, levels: NDArray[np.int8], title: str, footer: str) -> bytes:
    """Draw net asset value above drawdown, with the risk levels as shading.

    Parameters
    ----------
    sessions, nav, levels
        Shape (S,).
    footer
        One line that says where the data comes from and what the run assumed.
    """
    # Drawing without pyplot leaves no global state behind and needs no display.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 5.6), layout="constrained")
    FigureCanvasAgg(figure)
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
    figure.supxlabel(footer, fontsize=8, color="#555555")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()
