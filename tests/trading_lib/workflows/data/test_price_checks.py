"""A folder whose prices are adjusted for the dividends beside them is refused, unless its owner says they are not."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.builders.prices import universe
from trading_lib.adapters.sources.files.source import FileSource
from trading_lib.domain.errors import DataFileError
from trading_lib.domain.market.sessions import exchange_sessions
from trading_lib.workflows.data.market import LoadedSource, market_from_source

FIRST, LAST = date(2010, 1, 4), date(2019, 12, 31)
LATER = datetime(2020, 6, 30, tzinfo=UTC)


def load(folder: Path) -> LoadedSource:
    return market_from_source(FileSource(folder, universe()), universe(), exchange_sessions(), LAST, LATER)


@pytest.fixture(name="folder")
def fixture_folder(tmp_path: Path) -> Path:
    """Ten years of SPY that pays 0.8 % four times a year and does not fall by it."""
    generator = np.random.default_rng(5)
    days = exchange_sessions().between(FIRST, LAST)
    close = 100 * np.exp(np.cumsum(generator.normal(0.0003, 0.006, len(days))))
    opening = np.r_[close[0], close[:-1]] * np.exp(generator.normal(0, 0.001, len(days)))
    dividend = np.zeros(len(days))
    dividend[40::63] = (0.008 * close[39:-1:63]).round(2)
    rows = {"date": days.astype(str), "open": opening, "high": np.maximum(opening, close) * 1.002}
    rows |= {"low": np.minimum(opening, close) * 0.998, "close": close, "volume": 1e6, "dividend": dividend}
    pd.DataFrame(rows).round(4).to_csv(tmp_path / "SPY.csv", index=False)
    return tmp_path


def test_a_folder_of_adjusted_prices_with_dividends_is_refused_with_symbol_and_file(folder: Path) -> None:
    with pytest.raises(DataFileError, match=r"prices of SPY \(.*SPY\.csv\) do not fall on their ex-dates"):
        load(folder)


def test_what_the_owner_states_of_the_prices_stands(folder: Path) -> None:
    (folder / "dataset.yaml").write_text("prices:\n  - file: SPY.csv\n    adjustment: raw\n")
    assert load(folder).market.panel.dividend.sum() > 0
