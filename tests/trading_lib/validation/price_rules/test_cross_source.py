"""Sources against each other: returns, votes, levels, partial sessions."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders.histories import DAYS, history, price_frame, scaled, with_dividends
from trading_lib.validation.price_rules.cross_source import (
    SourceHistory,
    compare_sources,
    confirmed_moves,
    truncated_sessions,
)
from trading_lib.validation.report import Finding, Severity
from trading_lib.validation.rules import QualityRules

ROW = 200
RULES = QualityRules()


def found(*frames: pd.DataFrame, own_level: bool = True) -> list[Finding]:
    return compare_sources([SourceHistory(f"source {n}", history(f), own_level) for n, f in enumerate(frames)], RULES)


def test_one_source_has_nothing_to_disagree_with() -> None:
    assert found(price_frame()) == []


@settings(max_examples=25, deadline=None)
@given(noise=st.floats(0, 0.002), level=st.floats(0.2, 5))
def test_levels_and_small_differences_are_no_disagreement(noise: float, level: float) -> None:
    other = scaled(price_frame(), slice(None), level)
    wobble = 1 + noise * np.sin(np.arange(len(other)))
    assert found(price_frame(), other.assign(close=other["close"] * wobble), own_level=False) == []


def test_one_wrong_close_is_one_finding() -> None:
    findings = found(price_frame(), scaled(price_frame(), slice(ROW, ROW + 1), 1.03))
    assert [(f.rule, f.session, f.severity) for f in findings] == [
        ("source_deviation", DAYS[ROW].item(), Severity.WARNING)
    ]
    assert "source 0" in findings[0].message
    assert "source 1" in findings[0].message


def test_beyond_doubt_it_is_an_error() -> None:
    (finding,) = found(price_frame(), scaled(price_frame(), slice(ROW, ROW + 1), 1.2))
    assert finding.severity is Severity.ERROR


@pytest.mark.parametrize("wrong", [0, 1, 2])
def test_of_three_the_outvoted_one_is_wrong(wrong: int) -> None:
    frames = [price_frame(), price_frame(), price_frame()]
    frames[wrong] = scaled(frames[wrong], slice(ROW, ROW + 1), 1.03)
    findings = found(*frames)
    assert {(f.dataset, f.session, f.severity) for f in findings} == {
        (f"source {wrong}", DAYS[ROW].item(), Severity.ERROR)
    }


def test_a_source_adjusted_for_dividends_agrees_with_total_returns() -> None:
    paid = with_dividends(price_frame(), {ROW: 0.04})
    silent = paid.assign(close=paid["adj_close"], adj_close=np.nan, dividend=np.nan)
    assert found(paid, silent, own_level=False) == []
    unadjusted = paid.assign(adj_close=np.nan, dividend=np.nan)
    assert found(paid, unadjusted, own_level=False) == []


def test_returns_over_different_days_are_not_compared() -> None:
    jumped = scaled(price_frame(), slice(ROW, None), 1.3)
    holed = jumped.drop(index=[ROW - 1]).reset_index(drop=True)
    whole = scaled(price_frame(), slice(ROW - 1, None), 1.3)
    assert found(whole, holed) == []


class TestLevels:
    """Two captures at different levels."""

    @pytest.mark.parametrize("ratio", [2.0, 0.8123])
    def test_a_constant_ratio_is_found(self, ratio: float) -> None:
        (finding,) = found(price_frame(), scaled(price_frame(), slice(None), 1 / ratio))
        assert (finding.rule, finding.severity, finding.dataset) == (
            "level_between_sources", Severity.WARNING, "source 1",
        )  # fmt: skip
        assert finding.value == pytest.approx(ratio)

    def test_a_dividend_adjusted_source_has_no_level(self) -> None:
        assert found(price_frame(), scaled(price_frame(), slice(None), 0.9), own_level=False) == []

    def test_a_ratio_that_drifts_is_no_level(self) -> None:
        drift = price_frame()
        drift["close"] *= np.linspace(0.9, 1.0, len(drift))
        assert found(price_frame(), drift) == []


class TestPartialSession:
    """A bar captured before the close: less volume than usual, and another close."""

    def captured(self, share: float, off: float) -> pd.DataFrame:
        frame = price_frame()
        frame["volume"] = 2e4 * (1 + 0.1 * np.sin(np.arange(len(frame))))
        frame.loc[ROW, "volume"] *= share
        frame.loc[ROW, ["close", "adj_close"]] *= 1 + off
        return frame

    def test_it_is_found(self) -> None:
        findings = found(price_frame(), self.captured(0.4, 0.004))
        assert [(f.rule, f.session, f.dataset) for f in findings] == [("partial_session", DAYS[ROW].item(), "source 1")]

    @pytest.mark.parametrize(("share", "off"), [(0.4, 0.0), (1.0, 0.004)])
    def test_either_sign_alone_is_none(self, share: float, off: float) -> None:
        assert found(price_frame(), self.captured(share, off)) == []

    def test_the_share_of_a_thin_venue_wanders(self) -> None:
        frame = self.captured(0.4, 0.004)
        frame["volume"] *= np.exp(np.random.default_rng(3).normal(0, 1, len(frame)))
        assert found(price_frame(), frame) == []


class TestTruncatedSessions:
    """A session that ends early in a source: little volume and other closes, in most symbols at once."""

    SYMBOLS = ("SPY", "QQQ", "GLD", "TLT", "EFA", "EEM", "XLK")

    def sources(self, truncated: int) -> list[list[SourceHistory]]:
        generator = np.random.default_rng(5)
        result = []
        for number, symbol in enumerate(self.SYMBOLS):
            main = price_frame(symbol)
            # A thin venue: its share of the volume wanders.
            other = main.assign(volume=2e4 * np.exp(generator.normal(0, 0.35, len(main))))
            if number < truncated:
                off = generator.choice([-1, 1]) * generator.uniform(0.005, 0.011)
                other = scaled(other, slice(ROW, ROW + 1), 1 + off)
                other.loc[ROW, "volume"] = 2e4 * generator.uniform(0.11, 0.68)
            result.append([SourceHistory("main", history(main)), SourceHistory("thin", history(other))])
        return result

    def test_every_symbol_is_named_although_each_alone_would_not_be(self) -> None:
        sources = self.sources(len(self.SYMBOLS))
        found = [finding for source_histories in sources for finding in compare_sources(source_histories, RULES)]
        together = truncated_sessions(sources, RULES)
        assert sum(finding.rule == "partial_session" for finding in found) < len(self.SYMBOLS)
        assert {(f.symbol, f.session, f.dataset) for f in together} == {
            (symbol, DAYS[ROW].item(), "thin") for symbol in self.SYMBOLS
        }
        assert {(f.rule, f.severity) for f in together} == {("partial_session", Severity.WARNING)}

    def test_the_majority_names_the_rest_and_a_minority_nobody(self) -> None:
        assert len(truncated_sessions(self.sources(4), RULES)) == len(self.SYMBOLS)
        assert truncated_sessions(self.sources(3), RULES) == []

    def test_little_volume_without_other_closes_is_a_quiet_day(self) -> None:
        sources = self.sources(0)
        for source_histories in sources:
            source_histories[1].history.volume[ROW] *= 0.2
        assert truncated_sessions(sources, RULES) == []

    def test_few_symbols_say_nothing(self) -> None:
        assert truncated_sessions(self.sources(7)[:4], RULES) == []


def test_a_move_both_sources_show_is_confirmed() -> None:
    crash = scaled(price_frame(), slice(ROW, None), 0.6)
    alone = [SourceHistory("a", history(crash)), SourceHistory("b", history(price_frame()))]
    both = [SourceHistory("a", history(crash)), SourceHistory("b", history(crash))]
    assert not confirmed_moves(alone, RULES)[0][ROW]
    assert confirmed_moves(both, RULES)[0][ROW]
