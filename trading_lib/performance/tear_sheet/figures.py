"""The tear sheet's charts as plotly figures: plain dictionaries of data and layout."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import numpy as np

from trading_lib.domain.market.prices import DateArray, FloatArray
from trading_lib.performance.analysis import Analysis
from trading_lib.performance.periods import rolling_sharpe, rolling_volatility
from trading_lib.performance.tear_sheet.charts import LEVEL_COLOURS

Figure = dict[str, Any]

RUN_COLOUR = "#1f4e79"
# Okabe and Ito's colours, which colour-blind readers tell apart; the dashes tell the lines apart without colour.
BENCHMARK_LINES = (("#d55e00", "dash"), ("#009e73", "dot"), ("#7a7a7a", "dashdot"))
ASSET_COLOURS = (
    "#4e79a7", "#f28e2b", "#59a14f", "#e15759", "#76b7b2", "#edc948", "#b07aa1", "#ff9da7",
    "#9c755f", "#86bcb6", "#d37295", "#a0cbe8", "#8cd17d", "#b6992d", "#d4a6c8", "#499894",
)  # fmt: skip
CASH_COLOUR = "#e3e7ec"
# More points than this are not seen in a stacked picture and only make the page heavy.
STACKED_POINTS = 800


def equity(analysis: Analysis) -> Figure:
    """Net asset value, without what came or went of capital, against the benchmarks, on a logarithmic axis."""
    record = analysis.record
    data = [_line("this run", record.sessions, record.adjusted_nav, RUN_COLOUR, width=2.4)]
    for (name, found), (colour, dash) in zip(analysis.comparisons.items(), BENCHMARK_LINES, strict=False):
        data.append(_line(name, record.sessions, found.values, colour, dash, width=1.4))
    for trace in data:
        trace["hovertemplate"] = "%{y:$,.0f}"
    axis: Figure = {"type": "log", "title": {"text": "net asset value, log scale"}, "tickformat": "$,.0f"}
    axis |= {"tickmode": "array", "tickvals": _log_ticks(*_range(data))}
    return {"data": data, "layout": _layout(yaxis=axis, hovermode="x unified", xaxis=_dates(selector=True))}


def drawdown(analysis: Analysis) -> Figure:
    """Fall from the running peak beside the benchmark's, with the sessions of each risk level shaded."""
    record = analysis.record
    data: list[Figure] = [
        _line("drawdown", record.sessions, _fall(record.adjusted_nav), "#a3271b")
        | {"fill": "tozeroy", "fillcolor": "rgba(163,39,27,0.25)", "hovertemplate": "%{y:.2%}"}
    ]
    shapes = []
    days = _milliseconds(record.sessions)
    for level, colour in LEVEL_COLOURS.items():
        spans = _spans(record.levels == level)
        for first, last in spans:
            start, end = float(days[first]), float(days[last]) + 86_400_000.0
            shapes.append(
                {"type": "rect", "xref": "x", "yref": "paper", "x0": start, "x1": end, "y0": 0, "y1": 1,
                 "fillcolor": colour, "opacity": 0.9, "line": {"width": 0}, "layer": "below"}
            )  # fmt: skip
        if spans:
            count = int((record.levels == level).sum())
            name = f"level {level}: {count} session{'s' * (count != 1)}"
            mark = {"color": colour, "symbol": "square", "size": 12}
            # Shapes have no entry in the legend, so an empty trace stands for them.
            data.append({"type": "scatter", "x": [None], "y": [None], "mode": "markers", "name": name, "marker": mark})
    for (name, found), (colour, dash) in zip(analysis.comparisons.items(), BENCHMARK_LINES, strict=False):
        if name == analysis.config.benchmark:
            line = _line(name, record.sessions, _fall(found.values), colour, dash, width=1.2)
            data.append(line | {"hovertemplate": "%{y:.2%}"})
    axis = {"tickformat": ".0%", "title": {"text": "from the peak"}}
    return {"data": data, "layout": _layout(yaxis=axis, shapes=shapes, showlegend=True)}


def _fall(values: FloatArray) -> FloatArray:
    fall: FloatArray = values / np.maximum.accumulate(values) - 1.0
    return fall


def rolling(analysis: Analysis) -> Figure:
    """Draw rolling volatility above, rolling Sharpe ratio below."""
    record, window = analysis.record, analysis.config.rolling_sessions
    days = record.sessions[1:]
    ratio = rolling_sharpe(record.returns, record.known_cash_rate, window)
    data = [
        _line("volatility", days, rolling_volatility(record.returns, window), RUN_COLOUR)
        | {"hovertemplate": "%{y:.1%}"},
        _line("Sharpe ratio", days, ratio, "#d55e00") | {"yaxis": "y2", "hovertemplate": "%{y:.2f}"},
    ]
    layout = _layout(
        yaxis={"domain": [0.55, 1], "tickformat": ".0%", "title": {"text": "volatility"}, "rangemode": "tozero"},
        yaxis2={"domain": [0, 0.45], "title": {"text": "Sharpe ratio"}, "zeroline": True, "zerolinecolor": "#8a94a0"},
    )
    return {"data": data, "layout": layout}


def exposure(analysis: Analysis) -> Figure:
    """Weights of the assets, stacked, the rest being cash."""
    record = analysis.record
    step = max(1, -(-len(record.sessions) // STACKED_POINTS))
    days, weights = record.sessions[::step], (record.value / record.nav[:, None])[::step]
    data = []
    for column in np.flatnonzero((weights > 0).any(axis=0)):
        colour = ASSET_COLOURS[int(column) % len(ASSET_COLOURS)]
        trace = _line(record.universe.symbols[column], days, weights[:, column], colour, width=0.4)
        data.append(trace | {"stackgroup": "weights", "fillcolor": colour, "hovertemplate": "%{y:.1%}"})
    cash = np.maximum(1.0 - weights.sum(axis=1), 0.0)
    data.append(
        _line("cash", days, cash, CASH_COLOUR, width=0.4)
        | {"stackgroup": "weights", "fillcolor": CASH_COLOUR, "hovertemplate": "%{y:.1%}"}
    )
    top = max(1.0, float(weights.sum(axis=1).max(initial=0.0)))
    axis = {"tickformat": ".0%", "range": [0, top], "title": {"text": "share of net asset value"}}
    return {"data": data, "layout": _layout(yaxis=axis, legend={"traceorder": "normal", "x": 1.01, "y": 1})}


def turnover_and_costs(analysis: Analysis) -> Figure:
    """Turnover of every month as bars, and what trading has cost so far."""
    record = analysis.record
    months = record.sessions.astype("datetime64[M]")
    starts, inverse = np.unique(months, return_inverse=True)
    trades, sessions = record.trades, len(record.nav)
    traded = trades.by_session(np.abs(trades.flow), sessions)
    average = np.bincount(inverse, weights=record.nav) / np.bincount(inverse)
    share = np.bincount(inverse, weights=traded) / 2.0 / average
    paid = [
        (name, trades.by_session(values, sessions).cumsum(), colour)
        for name, values, colour in (
            ("commission", trades.commission, "#56b4e9"),
            ("slippage", trades.slippage, "#e69f00"),
        )
    ]
    data: list[Figure] = [
        {"type": "bar", "name": "turnover of the month", "x": _days(starts), "y": _numbers(share),
         "marker": {"color": RUN_COLOUR}, "hovertemplate": "%{x|%B %Y}: %{y:.1%}<extra></extra>"}
    ]  # fmt: skip
    for name, total, colour in paid:
        data.append(
            _line(f"{name}, total so far", record.sessions, total, colour, width=1)
            | {"yaxis": "y2", "stackgroup": "costs", "fillcolor": colour, "hovertemplate": "%{y:$,.0f}"}
        )
    layout = _layout(
        yaxis={"domain": [0.55, 1], "tickformat": ".0%", "title": {"text": "turnover a month"}},
        yaxis2={"domain": [0, 0.42], "tickformat": "$,.0f", "title": {"text": "costs"}},
        bargap=0.15,
    )
    return {"data": data, "layout": layout}


def attribution_by_asset(analysis: Analysis) -> Figure:
    """Profit of every asset: prices, dividends and costs as stacked bars, the total as a mark."""
    parts, symbols = analysis.attribution, analysis.record.universe.symbols
    total = parts.total.sum(axis=0)
    active = np.unique(analysis.record.trades.column)
    order = active[np.argsort(total[active], kind="stable")]
    names = [symbols[i] for i in order]
    stacks = (
        ("prices", parts.price, "#4e79a7"),
        ("dividends", parts.dividends, "#59a14f"),
        ("costs", -(parts.commission + parts.slippage), "#e15759"),
    )
    data: list[Figure] = [
        {"type": "bar", "orientation": "h", "name": name, "y": names, "x": _numbers(values.sum(axis=0)[order]),
         "marker": {"color": colour}, "hovertemplate": "%{y}: %{x:$,.0f}"}
        for name, values, colour in stacks
    ]  # fmt: skip
    data.append(
        {"type": "scatter", "mode": "markers", "name": "total", "y": names, "x": _numbers(total[order]),
         "marker": {"color": "#1c2530", "symbol": "diamond", "size": 9}, "hovertemplate": "%{y}: %{x:$,.0f}"}
    )  # fmt: skip
    layout = _layout(
        barmode="relative",
        hovermode="closest",
        xaxis={"tickformat": "$,.0f", "zerolinecolor": "#8a94a0", "gridcolor": "#e8ecf0"},
        yaxis={"automargin": True, "gridcolor": "#ffffff"},
    )
    return {"data": data, "layout": layout}


def attribution_by_sleeve(analysis: Analysis) -> Figure:
    """Profit of every sleeve, added up over the sessions."""
    data = [
        _line(name, analysis.record.sessions, profit.cumsum(), ASSET_COLOURS[k % len(ASSET_COLOURS)], width=2)
        | {"hovertemplate": "%{y:$,.0f}"}
        for k, (name, profit) in enumerate(analysis.sleeves.items())
    ]
    axis = {"tickformat": "$,.0f", "title": {"text": "profit so far"}}
    return {"data": data, "layout": _layout(yaxis=axis, hovermode="x unified", showlegend=True)}


def _line(
    name: str, days: DateArray, values: FloatArray, colour: str, dash: str = "solid", width: float = 1.6
) -> Figure:
    line = {"color": colour, "dash": dash, "width": width}
    return {"type": "scatter", "mode": "lines", "name": name, "x": _days(days), "y": _numbers(values), "line": line}


def _numbers(values: FloatArray, kind: str = "f4") -> Figure:
    """Encode numbers the way plotly itself does, a third of the text they would be; NaN is a gap."""
    return {"dtype": kind, "bdata": base64.b64encode(values.astype(f"<{kind}").tobytes()).decode("ascii")}


def _days(days: DateArray) -> Figure:
    """Encode days for a date axis."""
    return _numbers(_milliseconds(days), "f8")


def _milliseconds(days: DateArray) -> FloatArray:
    """Days as milliseconds since 1970, which a date axis understands."""
    return (days.astype("datetime64[D]").astype(np.int64) * 86_400_000).astype(np.float64)


def _dates(selector: bool = False) -> Figure:
    axis: Figure = {"type": "date", "hoverformat": "%Y-%m-%d", "gridcolor": "#e8ecf0", "automargin": True}
    if selector:
        years = [{"count": n, "label": f"{n} y", "step": "year", "stepmode": "backward"} for n in (1, 3, 5)]
        axis["rangeselector"] = {"buttons": [*years, {"step": "all", "label": "all"}], "x": 0, "y": 1.1}
    return axis


def _layout(**changes: Any) -> Figure:
    layout: Figure = {
        "margin": {"l": 60, "r": 20, "t": 56, "b": 40},
        "font": {"family": "system-ui, Segoe UI, Roboto, Arial, sans-serif", "size": 13, "color": "#1c2530"},
        "paper_bgcolor": "#ffffff",
        "plot_bgcolor": "#ffffff",
        "hovermode": "x",
        "legend": {"orientation": "h", "x": 0, "xanchor": "left", "y": 1.01, "yanchor": "bottom"},
        "xaxis": _dates(),
    }
    for name, value in changes.items():
        if name.startswith("yaxis"):
            title = value.get("title", {}) | {"standoff": 10}
            value = {"gridcolor": "#e8ecf0", "zeroline": False, "automargin": True, **value, "title": title}
        layout[name] = value
    if "yaxis2" in changes:
        layout["xaxis"] = layout["xaxis"] | {"anchor": "y2"}
    return layout


def _spans(marked: np.ndarray[Any, np.dtype[np.bool_]]) -> list[tuple[int, int]]:
    """First and last index of every run of True."""
    edges = np.flatnonzero(np.diff(np.r_[0, marked.astype(np.int8), 0]))
    return [(int(first), int(after) - 1) for first, after in zip(edges[::2], edges[1::2], strict=True)]


def _range(data: Sequence[Figure]) -> tuple[float, float]:
    values = np.concatenate([np.frombuffer(base64.b64decode(trace["y"]["bdata"]), "<f4") for trace in data])
    return float(np.nanmin(values)), float(np.nanmax(values))


def _log_ticks(low: float, high: float) -> list[float]:
    """Round amounts between the two: plotly's own ticks of a log axis are too many or too few."""
    steps = (
        (1.0, 2.0, 5.0) if high / low > 6 else (1.0, 1.2, 1.4, 1.6, 1.8, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0)
    )
    powers = 10.0 ** np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
    ticks = np.round(np.outer(powers, steps).ravel(), 6)
    return [float(tick) for tick in ticks if low * 0.9 <= tick <= high * 1.1]
