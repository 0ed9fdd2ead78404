"""Prices that do not fall on their ex-dates are refused, over all ex-dates together; plain prices never are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.builders.histories import price_frame
from tests.builders.prices import bars_of, instant, universe
from trading_lib.adapters.sources.files.source import FileSource
from trading_lib.domain.errors import DataFileError
from trading_lib.domain.market.sessions import FIRST_SESSION, exchange_sessions
from trading_lib.validation.price_history import split_histories
from trading_lib.validation.price_rules.adjusted_prices import RULE, adjusted_price_findings
from trading_lib.validation.price_rules.dividends import dividend_findings
from trading_lib.validation.quality import PriceDataset, assess_prices
from trading_lib.validation.report import Severity
from trading_lib.validation.rules import QualityRules
from trading_lib.workflows.data.price_checks import refuse_adjusted_prices

RULES = QualityRules()
LAST = pd.Timestamp("2022-12-30")
SESSIONS = exchange_sessions().between(pd.Timestamp("2012-01-03").date(), LAST.date())


def paying(symbol: str, seed: int, share: float = 0.005, every: int = 63, falls: bool = True) -> pd.DataFrame:
    """Ten years of a fund that pays ``share`` of its price; adjusted prices do not fall by it."""
    generator = np.random.default_rng(seed)
    count = len(SESSIONS)
    overnight, daily = generator.standard_t(4, count) * 0.004, generator.standard_t(4, count) * 0.005
    ex = np.arange(count) % every == every - 1
    overnight = overnight + np.where(ex & falls, np.log1p(-share), 0.0)
    close = 100 * np.exp(np.cumsum(overnight + daily))
    opening = np.r_[100.0, close[:-1]] * np.exp(overnight)
    frame = price_frame(symbol, close, SESSIONS).assign(open=opening, adj_close=np.nan)
    frame = frame.assign(high=frame[["open", "close"]].max(axis=1), low=frame[["open", "close"]].min(axis=1))
    frame["dividend"] = np.where(ex, share * np.r_[100.0, close[:-1]], 0.0)
    return frame


def named(*frames: pd.DataFrame) -> list[str]:
    histories = {history.symbol: history for frame in frames for history in split_histories(frame)}
    return sorted(finding.symbol for finding in adjusted_price_findings(histories, RULES))


def test_prices_that_fall_by_their_dividends_are_no_finding_in_forty_markets() -> None:
    for seed in range(40):
        assert named(*(paying(symbol, 10 * seed + at) for at, symbol in enumerate(("SPY", "TLT", "VNQ")))) == []


def test_adjusted_prices_are_named_symbol_by_symbol() -> None:
    frames = [paying(symbol, at, falls=False) for at, symbol in enumerate(("SPY", "TLT", "VNQ"))]
    assert named(*frames) == ["SPY", "TLT", "VNQ"]


def test_one_symbol_is_enough_when_it_has_many_ex_dates_and_a_few_say_nothing() -> None:
    assert named(paying("VNQ", 1, 0.01, falls=False)) == ["VNQ"]
    assert named(paying("VNQ", 1, 0.01, falls=False).iloc[: 63 * 4]) == []


def test_a_sound_symbol_beside_adjusted_ones_is_not_named() -> None:
    adjusted = [paying(symbol, at, 0.01, falls=False) for at, symbol in enumerate(("SPY", "TLT"))]
    assert named(*adjusted, paying("VNQ", 9, 0.01)) == ["SPY", "TLT"]


def test_an_adjusted_close_that_steps_by_the_dividend_clears_the_close() -> None:
    frame = paying("SPY", 3, 0.01, falls=False)
    share = frame["dividend"] / frame["close"].shift(1, fill_value=100.0)
    steps = np.cumprod(1 / (1 - share))
    assert named(frame) == ["SPY"]
    assert named(frame.assign(adj_close=frame["close"] * steps / steps.iloc[-1])) == []


def test_validate_names_the_symbol_and_the_remedy() -> None:
    frame = paying("SPY", 3, 0.01, falls=False)
    report = assess_prices([PriceDataset("SPY", bars_of(frame), frame)], universe(), instant("2023-06-30"))
    (finding,) = [f for f in report.findings if f.rule == RULE]
    assert (finding.symbol, finding.severity, finding.dataset) == ("SPY", Severity.ERROR, "SPY")
    assert "auto_adjust=False" in finding.message


def test_files_of_one_symbol_each_are_judged_as_one_export() -> None:
    frames = [paying(symbol, at, 0.003, falls=False) for at, symbol in enumerate(("SPY", "TLT", "VNQ"))]
    sets = [PriceDataset(str(frame["symbol"].iloc[0]), bars_of(frame), frame) for frame in frames]
    found = assess_prices(sets, universe(), instant("2023-06-30")).findings
    assert {(f.symbol, f.dataset) for f in found if f.rule == RULE} == {(s, s) for s in ("SPY", "TLT", "VNQ")}


def test_a_folder_of_adjusted_prices_is_refused_with_symbol_file_and_remedy(tmp_path: Path) -> None:
    paying("SPY", 3, 0.01, falls=False).drop(columns=["adj_close", "adjustment"]).to_csv(
        tmp_path / "SPY.csv", index=False
    )
    source = FileSource(tmp_path, universe())
    bars = source.bars(["SPY"], FIRST_SESSION, LAST.date(), instant("2023-06-30")).bars
    with pytest.raises(DataFileError, match=r"SPY \(.*SPY\.csv\).*auto_adjust=False"):
        refuse_adjusted_prices(source, bars)


def test_real_prices_pass_and_their_adjusted_version_is_named(shared_market_data: Path) -> None:
    raw = pd.read_parquet(shared_market_data / "etf_daily.parquet").sort_values(["symbol", "date"])
    raw = raw.assign(split=1.0)
    factor = raw["adj_close"] / raw["close"]
    adjusted = raw.assign(**{name: raw[name] * factor for name in ("open", "high", "low", "close")}, adj_close=np.nan)
    paid = sorted(raw.loc[raw["dividend"] > 0, "symbol"].unique())
    assert named(adjusted) == paid
    for years in (2, 5, 10, 18):
        for last in ("2010-12-31", "2016-06-30", "2022-12-30"):
            rows = raw[(raw["date"] <= last) & (raw["date"] > pd.Timestamp(last) - pd.DateOffset(years=years))]
            assert named(rows.assign(adj_close=np.nan)) == [], (years, last)


def test_a_stated_zero_beside_a_stepping_adjusted_close_is_a_mismatch() -> None:
    frame = paying("SPY", 4, 0.02)
    share = frame["dividend"] / frame["close"].shift(1, fill_value=100.0)
    steps = np.cumprod(1 / (1 - share))
    frame["adj_close"] = frame["close"] * steps / steps.iloc[-1]
    (history,) = split_histories(frame)
    assert dividend_findings(history, RULES) == []
    row = int(np.flatnonzero(frame["dividend"])[5])
    silent = frame.assign(dividend=np.where(np.arange(len(frame)) == row, 0.0, frame["dividend"]))
    (history,) = split_histories(silent)
    (finding,) = dividend_findings(history, RULES)
    assert (finding.rule, finding.session, finding.severity) == (
        "dividend_not_stated", SESSIONS[row].item(), Severity.ERROR,
    )  # fmt: skip
    (unknown,) = split_histories(frame.assign(dividend=np.nan))
    assert dividend_findings(unknown, RULES) == []
