"""A user's own column that knows what comes after is refused; one that does not is not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import numpy as np
import pytest

from tests.builders.markets import market_of, random_bars
from trading_lib.domain.errors import InputError
from trading_lib.domain.market.prices import FloatArray, PricePanel
from trading_lib.learning.features.own import refuse_foresight, up_to
from trading_lib.learning.labels import forward_labels, known_prices


@pytest.fixture(scope="module")
def panel() -> PricePanel:
    return market_of(random_bars(date(2021, 1, 4), date(2021, 12, 30), seed=4)).panel


def month(panel: PricePanel) -> FloatArray:
    prices = known_prices(panel)
    moved = np.full(prices.shape, np.nan)
    moved[21:] = prices[21:] / prices[:-21] - 1.0
    return moved


def shifted(panel: PricePanel) -> FloatArray:
    return np.vstack([month(panel)[1:], np.full((1, len(panel.symbols)), np.nan)])


def scaled_by_all_sessions(panel: PricePanel) -> FloatArray:
    values = month(panel)
    scaled: FloatArray = (values - np.nanmean(values, axis=0)) / np.nanstd(values, axis=0)
    return scaled


def below_the_highest_of_all(panel: PricePanel) -> FloatArray:
    prices = known_prices(panel)
    return np.asarray(prices / np.nanmax(prices, axis=0))


def future(panel: PricePanel) -> FloatArray:
    return forward_labels(panel, 21).rank


@pytest.mark.parametrize("leak", [shifted, scaled_by_all_sessions, below_the_highest_of_all, future])
def test_a_column_that_looks_ahead_is_refused(panel: PricePanel, leak: Callable[[PricePanel], FloatArray]) -> None:
    with pytest.raises(InputError, match=r"the own feature mine is a leak: of .* on 2021-"):
        refuse_foresight(lambda given: {"fair": month(given), "mine": leak(given)}, panel)


def test_a_column_of_the_past_and_one_from_elsewhere_are_not(panel: PricePanel) -> None:
    elsewhere = dict(zip(panel.sessions, np.random.default_rng(2).normal(size=panel.fresh.shape), strict=True))
    refuse_foresight(
        lambda given: {"month": month(given), "news": np.stack([elsewhere[day] for day in given.sessions])}, panel
    )


def test_of_the_future_nothing_is_left(panel: PricePanel) -> None:
    cut = up_to(panel, 99)
    assert len(cut.sessions) == len(cut.close) == len(cut.month_end) == 100
    for series, bars in zip(cut.native, cut.daily.values(), strict=False):
        assert series.dates[-1] <= cut.sessions[-1]
        assert bars.days[-1] < cut.sessions[-1]
