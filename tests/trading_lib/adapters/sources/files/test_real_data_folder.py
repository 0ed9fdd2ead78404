"""The shared folder of real prices, where it is there: every symbol arrives, and nothing sound is called bad."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from tests.builders.prices import instant, universe
from trading_lib.adapters.sources.files.source import FileSource
from trading_lib.domain.market.prices import VOLATILITY_INDEX
from trading_lib.validation.price_rules.structural import validate_bars

FOLDER = Path(__file__).parents[5].parent / "shared" / "market-data"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason=f"real market data is not at {FOLDER}")
AS_OF = instant("2023-06-30")


@pytest.fixture(scope="module")
def source() -> FileSource:
    return FileSource(FOLDER, universe())


def test_every_symbol_of_the_universe_is_there(source: FileSource) -> None:
    asked = (*universe().symbols, VOLATILITY_INDEX)
    answer = source.bars(asked, date(2015, 1, 2), date(2022, 12, 30), AS_OF)
    assert not answer.failures
    assert set(answer.bars.symbols) == set(asked)
    assert any("etf_daily.parquet" in note for note in answer.notes)


def test_real_prices_have_no_structural_error(source: FileSource) -> None:
    bars = source.bars((*universe().symbols, VOLATILITY_INDEX), date(2004, 1, 1), date(2022, 12, 30), AS_OF).bars
    report = validate_bars(bars, universe(), AS_OF)
    assert report.errors == ()
    assert report.warnings == ()


def test_derived_dividends_agree_with_the_stated_ones(source: FileSource, tmp_path: Path) -> None:
    import pandas as pd

    columns = ["symbol", "date", "open", "high", "low", "close", "adj_close", "volume"]
    stated = pd.read_parquet(FOLDER / "etf_daily.parquet")
    stated = stated[stated["symbol"].isin(["SPY", "TLT", "VNQ"])]
    stated[columns].to_parquet(tmp_path / "p.parquet")
    symbols = ("SPY", "TLT", "VNQ")
    derived = FileSource(tmp_path, universe()).bars(symbols, date(2006, 1, 1), date(2022, 12, 30), AS_OF).bars.frame
    true = source.bars(symbols, date(2006, 1, 1), date(2022, 12, 30), AS_OF).bars.frame
    for symbol in symbols:
        ours = derived.loc[derived["symbol"] == symbol, "dividend"]
        theirs = true.loc[true["symbol"] == symbol, "dividend"]
        assert ours.sum() == pytest.approx(theirs.sum(), rel=0.005)


def test_macro_series_are_known_after_their_release(source: FileSource) -> None:
    frame = source.macro(date(2022, 1, 1), date(2022, 6, 30), instant("2022-06-15 20:30")).frame
    newest = frame.groupby("series")["date"].max().dt.date
    # May's consumer prices came out on 2022-06-10; the rule allows for the latest day they ever do.
    assert newest["CPIAUCSL"] == date(2022, 4, 1)
    assert newest["DGS10"] == date(2022, 6, 13)
