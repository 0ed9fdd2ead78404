"""The equity curve is a picture, with the risk levels where there were any."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from tests.builders.markets import CALENDAR, SESSION
from trading_lib.performance.tear_sheet.charts import comparison_chart, equity_chart, monthly_chart

SESSIONS = CALENDAR.sessions[CALENDAR.position(SESSION) :][:60]
NAV = 1e5 * np.cumprod(1 + np.random.default_rng(1).normal(0, 0.01, 60))
CALM = np.zeros(60, dtype=np.int8)
LEVELS = np.repeat(np.array([0, 1, 2, 3, 4, 0], dtype=np.int8), 10)


def size(png: bytes) -> tuple[int, int]:
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", png[16:24])
    return width, height


@pytest.mark.parametrize("levels", [CALM, LEVELS])
def test_the_chart_is_a_png(levels: np.ndarray) -> None:
    png = equity_chart(SESSIONS, NAV, levels, "A title", "a footer")
    width, height = size(png)
    assert width >= 1000
    assert height >= 500
    assert len(png) > 10_000


def test_levels_and_words_are_drawn() -> None:
    plain = equity_chart(SESSIONS, NAV, CALM, "A title", "a footer")
    assert plain == equity_chart(SESSIONS, NAV, CALM, "A title", "a footer")
    assert plain != equity_chart(SESSIONS, NAV, LEVELS, "A title", "a footer")
    assert plain != equity_chart(SESSIONS, NAV, CALM, "A title", "another footer")
    assert plain != equity_chart(SESSIONS, NAV * np.linspace(1, 2, 60), CALM, "A title", "a footer")


def test_curves_are_compared_on_one_picture() -> None:
    both = comparison_chart(SESSIONS, {"this run": NAV, "SPY": NAV * np.linspace(1, 2, 60)}, "A title", "a footer")
    assert size(both)[0] >= 1000
    assert both != comparison_chart(SESSIONS, {"this run": NAV}, "A title", "a footer")
    assert both != comparison_chart(
        SESSIONS, {"this run": NAV, "TLT": NAV * np.linspace(1, 2, 60)}, "A title", "a footer"
    )


def test_months_are_a_picture_that_grows_with_the_years() -> None:
    table = np.full((3, 12), 0.02)
    table[0, :5] = np.nan
    three = monthly_chart((2020, 2021, 2022), table, "A title", "a footer")
    one = monthly_chart((2022,), table[2:], "A title", "a footer")
    assert size(three)[1] > size(one)[1]
    table[1, 3] = -0.02
    assert three != monthly_chart((2020, 2021, 2022), table, "A title", "a footer")
