"""Pictures of a training: coefficients over time, paths against the nulls, importance, exposure. Output: PNG bytes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from trading_lib.domain.market.prices import DateArray, FloatArray
from trading_lib.learning.evidence.nulls import Null
from trading_lib.performance.tear_sheet.charts import as_png, blank

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from trading_lib.workflows.learning.training.steps import Findings

# Safe for colour-blind readers; an untrained baseline is a grey line that is not solid.
COLOURS = {"ridge": "#1f4e79", "lightgbm": "#009e73", "xgboost": "#d55e00", "ensemble": "#8e44ad"}
BASELINES = {"momentum_12_1": ("#444444", "--"), "static_mean_rank": ("#8a8a8a", ":")}
SHUFFLED, ROTATED = "#c9ced6", "#e9b872"
ROLLING = 252
MOST_FEATURES = 15


@dataclass(frozen=True, slots=True)
class PathsAndNulls:
    """Mean information coefficients of a model: of its paths, and of null models of the same kind.

    Attributes
    ----------
    paths
        Shape (P,).
    shuffled, rotated
        Of models of shuffled and of rotated labels; empty for what is not trained.
    """

    paths: FloatArray
    shuffled: FloatArray
    rotated: FloatArray


def training_pictures(findings: Findings, report: Mapping[str, Any]) -> dict[str, Callable[[], bytes]]:
    """File name -> what draws it as PNG."""
    from trading_lib.workflows.learning.training.steps import exposures

    ready, tracks = findings.ready, findings.verdicts.tracks
    about = f"{report['data_source']} data, {report['from']} to {report['to']}"
    footer = (
        f"{report['splits']} splits, {report['paths']} paths, window {report['window']}; "
        f"{report['trials']['count']} trials; configuration {report['config_hash']}; code {report['code_version']}"
    )
    # Equal weights tell no asset from another: theirs is a line at zero.
    names = [*findings.models, *(name for name in tracks if name not in findings.models)]
    lines = {name: tracks[name].ic for name in names if np.abs(np.nan_to_num(tracks[name].ic)).max() > 0}
    rows = {
        name: PathsAndNulls(
            np.array(tracks[name].ic_by_path),
            *(findings.nulls[null][name].ics if name in findings.models else np.empty(0) for null in Null),
        )
        for name in lines
    }
    features = ready.data.features
    shares = {kind: np.array([one[name] for name in features]) for kind, one in findings.importance.items()}
    return {
        "ic_over_time.png": lambda: ic_chart(
            ready.data.sessions, lines, f"Information coefficients out of sample, {about}", footer
        ),
        "paths_and_nulls.png": lambda: paths_chart(rows, f"Paths against null models, {about}", footer),
        "importance.png": lambda: importance_chart(features, shares, f"What the scores are made of, {about}", footer),
        "exposure.png": lambda: exposure_chart(
            features, exposures(ready, findings.scores), f"What the scores resemble, {about}", footer
        ),
    }


def ic_chart(sessions: DateArray, coefficients: Mapping[str, FloatArray], title: str, footer: str) -> bytes:
    """Draw the mean information coefficient of the last `ROLLING` sessions over time, trained models in colour.

    Parameters
    ----------
    sessions
        Shape (S,).
    coefficients
        Name -> shape (S,), one a session; NaN where there is none.
    """
    figure = blank(4.6)
    axis = figure.subplots()
    days = sessions.astype("datetime64[ms]").astype(object)
    length = min(ROLLING, max(len(sessions) // 4, 1))
    for name, values in coefficients.items():
        colour, style = BASELINES.get(name, (COLOURS.get(name, "#333333"), "-"))
        drawn = rolling_mean(values, length)
        axis.plot(days, drawn, color=colour, linestyle=style, linewidth=1.6, label=f"{name} {_mean(values):+.3f}")
    axis.axhline(0.0, color="#000000", linewidth=0.8)
    axis.set_ylabel(f"Information coefficient,\nmean of {length} sessions")
    axis.set_title(title)
    axis.margins(x=0.01)
    axis.grid(alpha=0.25)
    axis.spines[["top", "right"]].set_visible(False)
    axis.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=8, title="mean of all sessions")
    return as_png(figure, footer)


def paths_chart(found: Mapping[str, PathsAndNulls], title: str, footer: str) -> bytes:
    """Draw every path of every model as a tick above what models of noise come to.

    A model whose ticks stand among the null models' has shown nothing that noise does not.
    """
    figure = blank(1.6 + 0.75 * max(len(found), 1))
    axis = figure.subplots()
    for row, (name, one) in enumerate(found.items()):
        _spread(axis, one.shuffled, row, SHUFFLED, 1.0)
        _spread(axis, one.rotated, row, ROTATED, 0.75)
        colour = COLOURS.get(name, "#444444")
        axis.vlines(one.paths, row - 0.22, row + 0.22, color=colour, linewidth=1.4)
        axis.plot(_mean(one.paths), row, marker="D", color=colour, markersize=7, markeredgecolor="#ffffff")
    axis.axvline(0.0, color="#000000", linewidth=0.8)
    axis.set_yticks(range(len(found)), list(found))
    axis.set_ylim(len(found) - 0.45, -0.55)
    axis.set_xlabel("Mean information coefficient")
    axis.set_title(title)
    axis.grid(alpha=0.25, axis="x")
    axis.tick_params(axis="y", length=0)
    axis.spines[["top", "right", "left"]].set_visible(False)
    axis.legend(handles=_legend_of_paths(), loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=8)
    return as_png(figure, footer)


def importance_chart(features: tuple[str, ...], shares: Mapping[str, FloatArray], title: str, footer: str) -> bytes:
    """Draw the share that each feature has in the scores of each model, the largest on top.

    Parameters
    ----------
    shares
        Model -> shape (F,): mean absolute contribution as a part of all of them.
    """
    return _feature_chart(features, shares, title, footer, "Share of the mean absolute contribution (%)", 100.0)


def exposure_chart(features: tuple[str, ...], exposures: Mapping[str, FloatArray], title: str, footer: str) -> bytes:
    """Draw the mean rank correlation of each model's scores with each feature, the strongest on top.

    Parameters
    ----------
    exposures
        Model -> shape (F,), NaN where a feature has no ranks.
    """
    return _feature_chart(features, exposures, title, footer, "Mean rank correlation of the scores with the feature", 1)


def rolling_mean(values: FloatArray, length: int) -> FloatArray:
    """Mean of the last ``length`` values that are known, shape (S,); NaN until half of them are."""
    known = np.isfinite(values)
    sums = np.cumsum(np.r_[0.0, np.where(known, values, 0.0)])
    counts = np.cumsum(np.r_[0, known])
    start = np.maximum(np.arange(1, len(values) + 1) - length, 0)
    total, count = sums[1:] - sums[start], counts[1:] - counts[start]
    enough = 2 * count >= length
    return np.where(enough, total / np.maximum(count, 1), np.nan)


def _feature_chart(
    features: tuple[str, ...], values: Mapping[str, FloatArray], title: str, footer: str, axis_name: str, scale: float
) -> bytes:
    matrix = np.nan_to_num(np.stack(list(values.values()))) * scale
    order = np.argsort(-np.abs(matrix).max(axis=0), kind="stable")[:MOST_FEATURES]
    figure = blank(1.5 + 0.30 * len(order))
    axis = figure.subplots()
    places = np.arange(len(order))
    axis.hlines(places, matrix[:, order].min(axis=0), matrix[:, order].max(axis=0), color="#d0d4da", linewidth=2)
    for name, row in zip(values, matrix, strict=True):
        axis.plot(row[order], places, "o", color=COLOURS.get(name, "#444444"), markersize=7, alpha=0.9, label=name)
    axis.axvline(0.0, color="#000000", linewidth=0.8)
    axis.set_yticks(places, [features[place] for place in order])
    axis.set_ylim(len(order) - 0.5, -0.5)
    axis.set_xlabel(axis_name)
    axis.set_title(title)
    axis.grid(alpha=0.25, axis="x")
    axis.tick_params(axis="y", length=0)
    axis.spines[["top", "right", "left"]].set_visible(False)
    axis.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=8)
    return as_png(figure, footer)


def _spread(axis: Axes, draws: FloatArray, row: int, colour: str, height: float) -> None:
    """Draw the middle 90 per cent of null models as a bar, with every one of them as a dot."""
    if not len(draws):
        return
    low, high = np.quantile(draws, (0.05, 0.95))
    axis.barh(row, high - low, left=low, height=0.62 * height, color=colour, alpha=0.75, linewidth=0)
    places = row + 0.31 * height * np.sin(np.arange(len(draws)) * 2.4)
    axis.plot(draws, places, ".", color=colour, markersize=4, markeredgecolor="#00000033", markeredgewidth=0.3)


def _legend_of_paths() -> list[object]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    return [
        Line2D([], [], color="#333333", marker="|", linestyle="none", markersize=11, label="a path"),
        Line2D([], [], color="#333333", marker="D", linestyle="none", markersize=6, label="mean of the paths"),
        Patch(color=SHUFFLED, label="null: labels shuffled,\n5 % to 95 %"),
        Patch(color=ROTATED, label="null: labels rotated in time,\n5 % to 95 %"),
    ]


def _mean(values: FloatArray) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if len(known) else float("nan")
