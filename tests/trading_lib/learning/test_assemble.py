"""Rows to learn from, and every way in which there are none."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pytest

from tests.builders.markets import market_of, random_bars
from trading_lib.domain.errors import InputError
from trading_lib.domain.market.prices import PricePanel
from trading_lib.learning.assemble import assemble_dataset, label_cut, sessions_needed
from trading_lib.learning.config import LearningConfig
from trading_lib.learning.dataset import Dataset, FeaturePanel, Labels
from trading_lib.learning.features.build import build_features
from trading_lib.learning.labels import forward_labels

FIRST, LAST = date(2021, 2, 1), date(2022, 6, 30)
CONFIG = LearningConfig()


@pytest.fixture(scope="module")
def market() -> tuple[PricePanel, FeaturePanel, Labels]:
    built = market_of(random_bars(date(2020, 1, 2), LAST, seed=8))
    return built.panel, build_features(built.panel, built.factors), forward_labels(built.panel, 21)


def assembled(
    market: tuple[PricePanel, FeaturePanel, Labels], first: date = FIRST, last: date = LAST, **changes: Any
) -> Dataset:
    panel, features, labels = market
    values = {"features": features, "labels": labels, "panel": panel, "config": CONFIG} | changes
    return assemble_dataset(**values, first=first, last=last)


def test_a_row_is_a_session_and_an_asset_with_a_label(market: tuple[PricePanel, FeaturePanel, Labels]) -> None:
    panel, features, labels = market
    data = assembled(market)
    begin, end = (int(np.searchsorted(panel.sessions, np.datetime64(day))) for day in (FIRST, LAST))
    assert len(data) == np.isfinite(labels.rank[begin : end + 1]).sum()
    assert data.sessions[0] == np.datetime64(FIRST)
    row = len(data) // 2
    at, asset = data.label_start[data.row_session[row]], data.row_symbol[row]
    assert panel.sessions[at] == data.sessions[data.row_session[row]]
    assert data.y[row] == labels.rank[at, asset]
    for column, name in enumerate(data.features):
        np.testing.assert_equal(data.x[row, column], features.values[features.names.index(name), at, asset])
    np.testing.assert_array_equal(data.label_end - data.label_start, 21)
    assert data.label_end[-1] <= end


def test_daily_returns_are_the_marks_with_zero_for_none(market: tuple[PricePanel, FeaturePanel, Labels]) -> None:
    panel, data = market[0], assembled(market)
    np.testing.assert_array_equal(data.daily_return, np.nan_to_num(panel.mark_return[data.label_start]))
    np.testing.assert_array_equal(data.tradable, panel.fresh[data.label_start])


def test_absent_features_are_left_out_with_a_note(market: tuple[PricePanel, FeaturePanel, Labels]) -> None:
    notes: list[str] = []
    data = assembled(market, note=notes.append)
    assert "cot_percentile_156" not in data.features
    assert "momentum_12_1" in data.features
    assert any("no data at that time for" in line and "cot_percentile_156" in line for line in notes)


def test_a_feature_with_data_and_no_value_is_refused_by_name(
    market: tuple[PricePanel, FeaturePanel, Labels],
) -> None:
    features = market[1]
    values = features.values.copy()
    values[features.names.index("rsi_14")] = np.nan
    with pytest.raises(InputError, match="rsi_14 has no value"):
        assembled(market, features=replace(features, values=values))


def test_a_series_that_begins_later_is_left_out_with_a_note(market: tuple[PricePanel, FeaturePanel, Labels]) -> None:
    features, notes = market[1], list[str]()
    values = features.values.copy()
    values[features.names.index("vix"), :-5] = np.nan
    data = assembled(market, features=replace(features, values=values), note=notes.append)
    assert "vix" not in features.absent
    assert "vix" not in data.features
    assert any("no data at that time for" in line and " vix, " in line for line in notes)


def test_a_feature_that_never_varies_is_left_out_with_a_note(market: tuple[PricePanel, FeaturePanel, Labels]) -> None:
    features, notes = market[1], list[str]()
    values = features.values.copy()
    values[features.names.index("rsi_14")] = 0.5
    data = assembled(market, features=replace(features, values=values), note=notes.append)
    assert "rsi_14" not in data.features
    assert any("rsi_14 never varies" in line for line in notes)


def test_sessions_with_few_assets_are_counted_and_left_out(market: tuple[PricePanel, FeaturePanel, Labels]) -> None:
    panel, _, labels = market
    rank, forward, notes = labels.rank.copy(), labels.forward.copy(), list[str]()
    row = label_cut(panel, date(2021, 6, 1))
    rank[row : row + 3, 5:], forward[row : row + 3, 5:] = np.nan, np.nan
    data = assembled(market, labels=replace(labels, rank=rank, forward=forward), note=notes.append)
    assert len(data.sessions) == len(assembled(market).sessions) - 3
    assert any(line.startswith("3 sessions from 2021-06-01") for line in notes)
    # The purge counts sessions of the market, so positions jump over what is left out.
    assert np.diff(data.label_start).max() == 4


def test_too_little_history_says_how_much_is_needed(market: tuple[PricePanel, FeaturePanel, Labels]) -> None:
    assert sessions_needed(CONFIG.splits) == 162
    with pytest.raises(InputError, match="at least 162 sessions"):
        assembled(market, first=date(2022, 1, 3))


def test_purge_and_embargo_as_long_as_a_fold_are_refused(market: tuple[PricePanel, FeaturePanel, Labels]) -> None:
    long = LearningConfig.model_validate({"splits": {"purge": 40, "embargo": 20}})
    with pytest.raises(InputError, match="not longer than purge 40 and embargo 20"):
        assembled(market, config=long)


def test_constant_labels_are_refused(market: tuple[PricePanel, FeaturePanel, Labels]) -> None:
    labels = market[2]
    flat = replace(labels, rank=np.where(np.isfinite(labels.rank), 0.0, np.nan))
    with pytest.raises(InputError, match="are equal"):
        assembled(market, labels=flat)


def test_one_asset_is_refused_by_name(market: tuple[PricePanel, FeaturePanel, Labels]) -> None:
    panel, _, labels = market
    others = np.arange(len(panel.symbols)) != panel.symbols.index("SPY")
    rank, forward = labels.rank.copy(), labels.forward.copy()
    rank[:, others], forward[:, others] = np.nan, np.nan
    with pytest.raises(InputError, match=r"only SPY has labels .* one asset"):
        assembled(market, labels=replace(labels, rank=rank, forward=forward))


def test_a_label_past_the_cut_is_refused_by_asset_and_session(
    market: tuple[PricePanel, FeaturePanel, Labels],
) -> None:
    with pytest.raises(InputError, match=r"the label of GLD on 2021-12-02 .* after the cut 2021-12-31"):
        assembled(market, last=date(2021, 12, 31))


@pytest.mark.parametrize(
    ("first", "last", "said"),
    [
        (LAST, FIRST, "inverted"),
        (date(2031, 1, 2), date(2031, 2, 3), "no session from"),
        (date(2001, 1, 2), date(2001, 2, 1), "no session up to"),
    ],
)
def test_a_window_without_prices_is_refused(
    market: tuple[PricePanel, FeaturePanel, Labels], first: date, last: date, said: str
) -> None:
    with pytest.raises(InputError, match=said):
        assembled(market, first=first, last=last)
