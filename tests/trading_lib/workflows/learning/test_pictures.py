"""Pictures of a training are drawn from what is known, and a rolling mean ends where too little is."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from trading_lib.domain.market.sessions import exchange_sessions
from trading_lib.workflows.learning.pictures import (
    MOST_FEATURES,
    PathsAndNulls,
    exposure_chart,
    ic_chart,
    importance_chart,
    paths_chart,
    rolling_mean,
)

SESSIONS = exchange_sessions().sessions[:600]
FOOTER = "simulated 2007-01-03 to 2009-05-20; costs 10 bp; 4 trials"


def size(png: bytes) -> tuple[int, int]:
    return Image.open(io.BytesIO(png)).size


def colours(png: bytes) -> set[tuple[int, ...]]:
    image = Image.open(io.BytesIO(png)).convert("RGB")
    return {colour for _, colour in image.getcolors(image.width * image.height) or []}  # type: ignore[misc]


def test_a_rolling_mean_is_that_of_the_last_known_values() -> None:
    values = np.array([1.0, np.nan, 3.0, 5.0, np.nan, np.nan, np.nan])
    assert rolling_mean(values, 2) == pytest.approx([1.0, 1.0, 3.0, 4.0, 5.0, np.nan, np.nan], nan_ok=True)
    assert np.isnan(rolling_mean(np.full(5, np.nan), 3)).all()


def test_coefficients_over_time_are_drawn_one_line_a_model_in_its_colour() -> None:
    wave = np.sin(np.arange(600) / 40.0) / 10.0
    one = ic_chart(SESSIONS, {"ridge": wave}, "Information coefficients", FOOTER)
    two = ic_chart(SESSIONS, {"ridge": wave, "xgboost": wave - 0.1}, "Information coefficients", FOOTER)
    orange = (0xD5, 0x5E, 0x00)
    assert orange not in colours(one)
    assert orange in colours(two)


def test_null_models_are_drawn_below_the_paths_and_baselines_have_none() -> None:
    draws = np.linspace(-0.05, 0.05, 40)
    trained = {"ridge": PathsAndNulls(np.array([0.05, 0.07]), draws, draws + 0.04)}
    baseline = {"momentum_12_1": PathsAndNulls(np.array([0.07]), np.empty(0), np.empty(0))}
    alone, both = paths_chart(trained, "Paths", FOOTER), paths_chart(trained | baseline, "Paths", FOOTER)
    assert size(both)[1] > size(alone)[1]
    assert Image.open(io.BytesIO(paths_chart(baseline, "Paths", FOOTER))).format == "PNG"


@pytest.mark.parametrize("chart", [importance_chart, exposure_chart])
def test_only_the_strongest_features_are_drawn(chart: object) -> None:
    features = tuple(f"feature_{number}" for number in range(40))
    values = {"ridge": np.linspace(-0.4, 0.5, 40), "lightgbm": np.full(40, np.nan)}
    many = chart(features, values, "Features", FOOTER)  # type: ignore[operator]
    few = chart(features[:5], {name: row[:5] for name, row in values.items()}, "Features", FOOTER)  # type: ignore[operator]
    assert MOST_FEATURES < 40
    assert size(many)[1] == pytest.approx(110 * (1.5 + 0.3 * MOST_FEATURES), abs=2)
    assert size(few)[1] < size(many)[1]
