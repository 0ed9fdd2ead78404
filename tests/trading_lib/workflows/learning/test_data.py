"""Training data from a folder and from the database, and the features of one session, which must be the same ones."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.builders.price_folder import write_price_folder
from tests.builders.settings import make_settings
from tests.environment.database import MakeDatabase
from trading_lib.adapters.stores.market.market_store import MarketStore
from trading_lib.adapters.stores.market.positioning_store import PositioningStore
from trading_lib.domain.errors import DataFileError, InputError, SessionError
from trading_lib.domain.market.positioning import CotReports
from trading_lib.domain.market.prices import FloatArray, MacroSeries, PricePanel
from trading_lib.learning.dataset import FeaturePanel
from trading_lib.learning.features.leaks import mean_rank_correlation
from trading_lib.learning.features.own import up_to
from trading_lib.learning.features.positioning import POSITIONING_NAMES
from trading_lib.learning.labels import forward_labels
from trading_lib.workflows.data import fetch as fetching
from trading_lib.workflows.data import tasks as market_data
from trading_lib.workflows.learning.data import features_at, training_data
from trading_lib.workflows.learning.training.request import EXPERIMENT, TrainingRequest
from trading_lib.workflows.learning.training.steps import prepare
from trading_lib.workflows.setup.settings import Settings

BEGIN, FIRST, LAST = date(2021, 1, 4), date(2022, 2, 1), date(2023, 6, 30)
SESSIONS = (date(2022, 6, 15), date(2023, 3, 31), LAST)


@pytest.fixture(scope="module")
def prices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of prices, ^VIX, yields and reports."""
    folder = write_price_folder(tmp_path_factory.mktemp("data") / "prices", BEGIN, LAST)
    days = pd.bdate_range(BEGIN, LAST)
    generator = np.random.default_rng(3)
    series = {"DGS10": 3.0, "DGS2": 2.0, "T10Y2Y": 1.0, "T10YIE": 2.2, "FEDFUNDS": 1.5}
    rows = [
        pd.DataFrame(
            {"series": name, "date": days.date, "value": level + generator.normal(0, 0.02, len(days)).cumsum()}
        )
        for name, level in series.items()
    ]
    pd.concat(rows).to_csv(folder / "yields.csv", index=False)
    tuesdays = pd.date_range("2019-01-01", LAST, freq="W-TUE")
    held = [
        pd.DataFrame(
            {
                "market": market,
                "report_date": tuesdays.date,
                "spec_long": generator.integers(100, 900, len(tuesdays)),
                "spec_short": generator.integers(100, 900, len(tuesdays)),
            }
        )
        for market in ("gold", "silver", "sp500", "crude")
    ]
    pd.concat(held).to_csv(folder / "reports.csv", index=False)
    return folder


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return make_settings("", tmp_path)


def assert_rows_equal(at: FeaturePanel, whole: FeaturePanel, session: date) -> None:
    row = int(np.searchsorted(whole.sessions, np.datetime64(session)))
    assert at.sessions[-1] == whole.sessions[row] == np.datetime64(session)
    assert at.names == whole.names
    assert np.isfinite(at.values[:, -1]).any(axis=1).all()
    np.testing.assert_array_equal(at.values[:, -1], whole.values[:, row])


def test_a_folder_gives_rows_of_all_27_features(settings: Settings, prices: Path) -> None:
    found = training_data(settings, FIRST, LAST, prices)
    assert len(found.dataset.features) == 27
    assert (found.data_source, found.simulated, found.notes) == ("files:prices", False, [])
    assert found.dataset.sessions[0] == np.datetime64(FIRST)
    assert found.dataset.label_end[-1] == len(found.panel.sessions) - 1
    assert len(found.dataset) == 15 * len(found.dataset.sessions)


def test_bars_that_were_set_aside_are_counted_in_the_notes(settings: Settings, prices: Path, tmp_path: Path) -> None:
    folder = tmp_path / "prices"
    shutil.copytree(prices, folder)
    (file,) = folder.glob("*.parquet")
    bars = pd.read_parquet(file)
    rows = bars.index[bars["symbol"] == "GLD"]
    bars.loc[rows[400], "close"] = -5.0
    bars.loc[rows[401], "high"] = np.nan
    bars.to_parquet(file)
    found = training_data(settings, FIRST, LAST, folder)
    assert len([note for note in found.notes if note.startswith("2 bars were set aside in quarantine")]) == 1


def test_a_prediction_sees_the_features_that_a_model_learned_from(settings: Settings, prices: Path) -> None:
    whole = training_data(settings, FIRST, LAST, prices).features
    for session in SESSIONS:
        assert_rows_equal(features_at(settings, session, data=prices), whole, session)


@pytest.mark.postgres
def test_so_does_a_prediction_from_the_database(make_database: MakeDatabase, tmp_path: Path, prices: Path) -> None:
    settings = make_settings(make_database(), tmp_path)
    plan = market_data.plan(LAST.isoformat(), "files", str(prices), "paper", settings)
    fetching.ingest_history(plan, settings, LAST)
    whole = training_data(settings, FIRST, LAST, stored="files:prices")
    for session in SESSIONS:
        assert_rows_equal(features_at(settings, session, stored="files:prices"), whole.features, session)
    assert whole.dataset.digest == training_data(settings, FIRST, LAST, prices).dataset.digest


@pytest.mark.postgres
def test_a_model_learns_from_the_revisions_that_were_known_at_each_session(
    make_database: MakeDatabase, tmp_path: Path, prices: Path
) -> None:
    settings = make_settings(make_database(), tmp_path)
    plan = market_data.plan(LAST.isoformat(), "files", str(prices), "paper", settings)
    fetching.ingest_history(plan, settings, LAST)
    store, positioning = MarketStore(settings.engine()), PositioningStore(settings.engine())
    revised, end = (settings.calendar.decision_time(day) for day in (date(2023, 2, 1), LAST))
    # What was the newest in June and in the week before the revision is another number from then on.
    macro = store.read_macro("files:prices", end).frame
    macro = macro[macro["date"].between("2022-06-06", "2022-06-15") | macro["date"].between("2023-01-23", "2023-01-31")]
    assert store.upsert_macro(MacroSeries.from_frame(macro.assign(value=macro["value"] + 0.5)), revised).revised > 60
    reports = positioning.read_cot("files:prices", end).frame
    reports = reports[reports["report_date"].between("2022-05-01", "2023-01-24")]
    swapped = {"noncommercial_long": "noncommercial_short", "noncommercial_short": "noncommercial_long"}
    assert positioning.upsert_cot(CotReports.from_frame(reports.rename(columns=swapped)), revised).revised > 100
    whole = training_data(settings, FIRST, LAST, stored="files:prices").features
    before = training_data(settings, FIRST, LAST, prices).features
    for session in (*SESSIONS, date(2022, 6, 16), date(2023, 1, 31), date(2023, 2, 1), date(2023, 2, 2)):
        assert_rows_equal(features_at(settings, session, stored="files:prices"), whole, session)
    assert_rows_equal(features_at(settings, date(2022, 6, 15), data=prices), whole, date(2022, 6, 15))
    same = [np.array_equal(*pair, equal_nan=True) for pair in zip(whole.values, before.values, strict=True)]
    changed = {name for name, unchanged in zip(whole.names, same, strict=True) if not unchanged}
    assert changed == {"cash_rate", "yield_10y", "slope_10y_2y", "breakeven_10y", *POSITIONING_NAMES}


def test_without_a_folder_the_market_is_simulated_and_says_so(settings: Settings) -> None:
    found = training_data(settings, date(2015, 1, 2), date(2016, 12, 30))
    assert found.simulated
    assert found.data_source == "simulated"
    assert any("cot_percentile_156" in line for line in found.notes)
    assert "cot_percentile_156" not in found.dataset.features


def test_nothing_after_the_last_session_is_read(settings: Settings, prices: Path) -> None:
    last = date(2023, 3, 31)
    shorter, longer = (training_data(settings, FIRST, day, prices) for day in (last, LAST))
    assert shorter.panel.sessions[-1] == np.datetime64(last)
    count = len(shorter.dataset)
    np.testing.assert_array_equal(shorter.dataset.x, longer.dataset.x[:count])
    np.testing.assert_array_equal(shorter.dataset.y, longer.dataset.y[:count])


def test_a_column_that_looks_ahead_is_refused_by_name(settings: Settings, prices: Path) -> None:
    def future(panel: PricePanel) -> Mapping[str, FloatArray]:
        return {"crystal_ball": forward_labels(panel, 21).forward}

    with pytest.raises(InputError, match="the own feature crystal_ball is a leak: of GLD on 20"):
        training_data(settings, FIRST, LAST, prices, own=future)


def from_elsewhere(settings: Settings, prices: Path) -> tuple[FloatArray, FloatArray]:
    """Labels of all sessions, kept where no panel takes the future away, and noise of their shape."""
    ranks = forward_labels(training_data(settings, FIRST, LAST, prices).panel, 21).rank
    return ranks, np.random.default_rng(1).normal(size=ranks.shape)


def test_a_feature_that_is_the_future_label_is_refused_wherever_it_comes_from(settings: Settings, prices: Path) -> None:
    ranks, _ = from_elsewhere(settings, prices)
    with pytest.raises(InputError, match="feature crystal_ball is a leak: it ranks assets as their future does"):
        training_data(settings, FIRST, LAST, prices, own=lambda panel: {"crystal_ball": ranks[: len(panel.sessions)]})


def test_a_feature_that_partly_is_gets_a_note_and_an_honest_one_is_learned_from(
    settings: Settings, prices: Path
) -> None:
    ranks, noise = from_elsewhere(settings, prices)

    def columns(panel: PricePanel) -> Mapping[str, FloatArray]:
        until = len(panel.sessions)
        return {"peek": (ranks + 0.7 * noise)[:until], "sentiment_news": noise[:until]}

    found = training_data(settings, FIRST, LAST, prices, own=columns)
    assert found.dataset.features[-2:] == ("peek", "sentiment_news")
    (line,) = [line for line in found.notes if "is it a leak?" in line]
    assert line.startswith("feature peek has a mean rank correlation of +0.")
    data = found.dataset
    values, labels = data.matrix(data.x[:, -1]), data.matrix(data.y)
    assert abs(mean_rank_correlation(values, labels)) < 0.1


def test_a_panel_of_which_the_future_is_taken_away_is_the_one_that_was_known(settings: Settings, prices: Path) -> None:
    last = date(2023, 3, 31)
    shorter, longer = (training_data(settings, FIRST, day, prices).panel for day in (last, LAST))
    cut = up_to(longer, len(shorter.sessions) - 1)
    for field in fields(PricePanel):
        assert_same(getattr(cut, field.name), getattr(shorter, field.name), field.name)


def assert_same(ours: Any, theirs: Any, name: str) -> None:
    if is_dataclass(ours):
        for field in fields(ours):
            assert_same(getattr(ours, field.name), getattr(theirs, field.name), f"{name}.{field.name}")
    elif isinstance(ours, Mapping):
        assert ours.keys() == theirs.keys()
        for key in ours:
            assert_same(ours[key], theirs[key], f"{name} of {key}")
    elif isinstance(ours, tuple) and ours and is_dataclass(ours[0]):
        for one, other in zip(ours, theirs, strict=True):
            assert_same(one, other, name)
    else:
        np.testing.assert_array_equal(ours, theirs, err_msg=name)


def test_further_symbols_are_learned_from(settings: Settings, prices: Path, tmp_path: Path) -> None:
    frame = pd.read_parquet(prices / "prices.parquet")
    further = frame[frame["symbol"].isin(["SPY", "GLD"])].replace({"symbol": {"SPY": "IWM", "GLD": "IAU"}})
    folder = tmp_path / "further"
    folder.mkdir()
    further[further["symbol"] == "IWM"].to_csv(folder / "some.csv", index=False)
    further[further["symbol"] == "IAU"].drop(columns="symbol").to_csv(folder / "IAU.csv", index=False)
    found = training_data(settings, FIRST, LAST, prices, universe_extra=folder)
    assert found.dataset.symbols[-2:] == ("IAU", "IWM")
    spy, iwm = found.panel.symbols.index("SPY"), found.panel.symbols.index("IWM")
    position = found.features.names.index("momentum_63")
    np.testing.assert_array_equal(found.features.values[position][:, spy], found.features.values[position][:, iwm])
    assert settings.configuration.universe.symbols == found.panel.symbols[:-2]
    assert not found.simulated
    asked = TrainingRequest(first=FIRST, last=LAST, data=prices, universe_extra=folder)
    assert prepare(settings, asked, [].append).notes[0] == EXPERIMENT
    beside_made_up = training_data(settings, FIRST, LAST, universe_extra=folder)
    assert (beside_made_up.data_source, beside_made_up.simulated) == ("files:further, simulated", True)


def test_a_folder_without_further_symbols_is_refused(settings: Settings, prices: Path) -> None:
    with pytest.raises(DataFileError, match="no price of a symbol that is not in the universe already"):
        training_data(settings, FIRST, LAST, prices, universe_extra=prices)


def test_a_folder_beside_stored_rows_is_refused(settings: Settings, prices: Path) -> None:
    with pytest.raises(InputError, match="would count for nothing"):
        training_data(settings, FIRST, LAST, prices, stored="simulated")


def test_a_prediction_past_the_data_names_where_it_ends(settings: Settings, prices: Path) -> None:
    with pytest.raises(SessionError, match="2023-07-03"):
        features_at(settings, date(2023, 7, 3), data=prices)


def test_real_prices_have_the_momentum_that_others_found(settings: Settings, shared_market_data: Any) -> None:
    """12-1 momentum ranks these assets with a mean information coefficient near .076 from 2007 to 2022."""
    found = training_data(settings, date(2007, 1, 1), date(2022, 12, 31), shared_market_data)
    data = found.dataset
    assert len(data.sessions) > 4000
    momentum = data.matrix(data.x[:, data.features.index("momentum_12_1")])
    assert mean_rank_correlation(momentum, data.matrix(data.y)) == pytest.approx(0.076, abs=0.01)
