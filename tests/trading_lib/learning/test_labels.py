"""Labels: ranked forward returns that never cross the cut."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from scipy.stats import rankdata

from tests.builders.markets import at, market_of, random_bars
from trading_lib.domain.errors import InputError
from trading_lib.domain.market.prices import PricePanel
from trading_lib.learning.labels import forward_labels, known_prices

HORIZON = 21


@pytest.fixture(scope="module")
def panel() -> PricePanel:
    return market_of(random_bars(date(2022, 1, 3), date(2022, 12, 30), seed=3)).panel


def test_a_label_is_the_total_return_over_the_horizon(panel: PricePanel) -> None:
    labels = forward_labels(panel, HORIZON)
    grown = np.nancumprod(1.0 + np.nan_to_num(panel.mark_return), axis=0)
    expected = grown[HORIZON:] / grown[:-HORIZON] - 1.0
    known = np.isfinite(labels.forward)
    assert known.sum() > 2000
    np.testing.assert_allclose(labels.forward[known], expected[known[:-HORIZON]], rtol=1e-9)


def test_a_label_needs_a_fresh_price_at_both_ends(panel: PricePanel) -> None:
    forward = forward_labels(panel, HORIZON).forward[:-HORIZON]
    both = panel.fresh[:-HORIZON] & panel.fresh[HORIZON:]
    assert (~both).any()
    np.testing.assert_array_equal(np.isfinite(forward), both)


def test_no_label_ends_after_the_cut(panel: PricePanel) -> None:
    cut = 150
    labels, whole = forward_labels(panel, HORIZON, last=cut), forward_labels(panel, HORIZON)
    np.testing.assert_array_equal(labels.rank[: cut - HORIZON + 1], whole.rank[: cut - HORIZON + 1])
    assert np.isnan(labels.forward[cut - HORIZON + 1 :]).all()
    assert np.isfinite(labels.rank[cut - HORIZON]).any()


def test_a_history_shorter_than_the_horizon_has_no_label(panel: PricePanel) -> None:
    assert np.isnan(forward_labels(panel, HORIZON, last=HORIZON - 1).forward).all()


def test_a_session_with_few_assets_keeps_its_returns_and_has_no_ranks(panel: PricePanel) -> None:
    labels = forward_labels(panel, HORIZON, minimum_assets=15)
    full = np.isfinite(labels.forward).all(axis=1)
    assert 0 < full.sum() < np.isfinite(labels.forward).any(axis=1).sum()
    np.testing.assert_array_equal(np.isfinite(labels.rank).any(axis=1), full)


@pytest.mark.parametrize(("horizon", "last"), [(0, None), (21, -1), (21, 100_000)])
def test_a_horizon_or_cut_that_is_none_is_refused(panel: PricePanel, horizon: int, last: int | None) -> None:
    with pytest.raises(InputError, match=r"no return|outside the"):
        forward_labels(panel, horizon, last)


def test_prices_are_those_known_at_the_decision(panel: PricePanel) -> None:
    price, btc, row = known_prices(panel), at("BTC-USD"), 100
    series = panel.native[btc]
    yesterday = np.flatnonzero(series.dates < panel.sessions[row])[-1]
    assert price[row, btc] == series.close[yesterday]


def test_ranks_are_evenly_spaced_among_the_assets_with_a_return(panel: PricePanel) -> None:
    labels = forward_labels(panel, HORIZON)
    for row in (5, 40, 90):
        known = np.isfinite(labels.forward[row])
        expected = (rankdata(labels.forward[row, known]) - 1) / (known.sum() - 1) - 0.5
        np.testing.assert_allclose(labels.rank[row, known], expected, atol=1e-12)
        assert np.isnan(labels.rank[row, ~known]).all()
