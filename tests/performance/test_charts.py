"""The equity curve is a picture, with the risk levels where there were any."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from tests.market_builders import CALENDAR, SESSION
from trading_lib.performance.charts import equity_chart

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
