"""Bars are judged when they arrive: nothing later changes a verdict, and actions outlive a bad price."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders.histories import DAYS, price_frame, scaled, walk, with_dividends
from tests.builders.prices import bars_of, instant, universe
from trading_lib.domain.market.prices import Bars
from trading_lib.validation.acceptance import WINDOW, accept_bars
from trading_lib.validation.context import AcceptedHistory
from trading_lib.validation.report import ValidationReport

LATER = instant("2023-06-30")
ROW = 200


def judged(*frames: pd.DataFrame, others: tuple[pd.DataFrame, ...] = ()) -> ValidationReport:
    checks = [bars_of(frame, source=f"other-{number}") for number, frame in enumerate(others)]
    return accept_bars(bars_of(*frames), universe(), LATER, checks)


def errors(report: ValidationReport) -> list[tuple[str, date, str]]:
    return [(finding.symbol, finding.session, finding.rule) for finding in report.errors]


def day(row: int) -> date:
    return DAYS[row].item()


def kept_out(report: ValidationReport) -> list[date]:
    return [moment.date() for moment in report.quarantined.frame["date"]]


def defective() -> pd.DataFrame:
    """A history with a defect of every kind that can be seen at once, and a spike that cannot."""
    frame = with_dividends(price_frame("SPY", walk(3)), {60: 0.03, 123: 0.03, 186: 0.03, 250: 0.03, 310: 0.03})
    frame = scaled(frame, slice(90, 93), 100.0)
    frame.loc[123, "dividend"] /= 100
    frame.loc[150, ["high", "low"]] = [1.0, 2.0]
    frame = scaled(frame, slice(220, 221), 1.3)
    frame.loc[260, "split"] = 4.0
    frame.loc[280, "dividend"] = 0.4 * frame.loc[279, "close"]
    return frame


def test_what_shows_at_once_is_kept_out_and_a_spike_is_not() -> None:
    report = judged(defective())
    assert {(row, rule) for _, session, rule in errors(report) for row in range(len(DAYS)) if day(row) == session} >= {
        (90, "price_scale"),
        (91, "price_scale"),
        (92, "price_scale"),
        (123, "dividend_scale"),
        (150, "high_below_low"),
        (280, "dividend_not_adjusted"),
    }
    assert day(93) not in kept_out(report)
    assert day(220) not in kept_out(report)


@settings(max_examples=8, deadline=None)
@given(cut=st.integers(5, len(DAYS) - 1))
def test_a_verdict_does_not_change_with_what_comes_later(cut: int) -> None:
    whole, early = judged(defective()), judged(defective().iloc[:cut])
    assert kept_out(early) == [session for session in kept_out(whole) if session <= day(cut - 1)]
    frame = whole.accepted.frame
    known = frame[frame["date"] <= pd.Timestamp(DAYS[cut - 1])]
    pd.testing.assert_frame_equal(early.accepted.frame, known.reset_index(drop=True))


def in_steps(frame: pd.DataFrame, other: pd.DataFrame | None = None, again: int = 9) -> tuple[Bars, set[date]]:
    """Judge every few days as a pipeline does: the newest days and some before, with what was accepted then."""
    bars, checks = bars_of(frame), [bars_of(other, source="other")] if other is not None else []
    accepted, bad, owed = Bars.empty(), set[date](), AcceptedHistory().owed
    for row in [*range(0, len(frame), 3), len(frame) - 1]:
        first = max(0, row - again)
        fetched = Bars(bars.frame.iloc[first : row + 1].reset_index(drop=True))
        before = accepted.frame[accepted.frame["date"] < fetched.frame["date"].iloc[0]]
        known = AcceptedHistory(Bars(accepted.frame.iloc[-WINDOW - again :].reset_index(drop=True)), owed)
        report = accept_bars(fetched, universe(), LATER, checks, known)
        accepted = Bars(pd.concat([before, report.accepted.frame], ignore_index=True))
        bad |= set(kept_out(report))
        pending = pd.concat([owed, report.quarantined.frame[owed.columns]]).drop_duplicates(["symbol", "date"])
        doubtful = [f.session for f in report.errors if "dividend" in f.rule]
        pending.loc[pending["date"].dt.date.isin(doubtful), "dividend"] = 0.0
        owed = pending.astype(owed.dtypes)
    return accepted, bad


def test_day_by_day_ends_where_loading_at_once_does() -> None:
    accepted, bad = in_steps(defective())
    whole = judged(defective())
    assert bad == set(kept_out(whole))
    pd.testing.assert_frame_equal(accepted.frame, whole.accepted.frame)


def test_day_by_day_with_another_source_ends_where_loading_at_once_does() -> None:
    other = scaled(price_frame("SPY", walk(3)), slice(ROW, ROW + 1), 1.08)
    whole = judged(price_frame("SPY", walk(3)), others=(other,))
    assert errors(whole) == [("SPY", day(ROW), "source_deviation")]
    accepted, bad = in_steps(price_frame("SPY", walk(3)), other)
    assert bad == {day(ROW)}
    pd.testing.assert_frame_equal(accepted.frame, whole.accepted.frame)


def test_a_unit_that_stays_wrong_keeps_every_bar_out() -> None:
    """Taking the new level for granted would make the holding a hundred times as valuable overnight."""
    report = judged(scaled(price_frame("SPY"), slice(ROW, None), 100.0))
    assert kept_out(report) == [session.item() for session in DAYS[ROW:]]


def test_another_source_that_made_the_move_too_clears_it() -> None:
    moved = scaled(price_frame("SPY"), slice(ROW, None), 100.0)
    assert errors(judged(moved, others=(scaled(moved, slice(None), 1.0),))) == []


def test_of_three_the_outvoted_is_kept_out_and_the_outvoted_opinion_costs_nothing() -> None:
    sound, wrong = price_frame("SPY"), scaled(price_frame("SPY"), slice(ROW, ROW + 1), 1.03)
    assert errors(judged(wrong, others=(sound, sound))) == [("SPY", day(ROW), "source_deviation")]
    assert errors(judged(sound, others=(wrong, sound))) == []


def test_the_volatility_index_is_judged_as_an_index() -> None:
    levels = np.full(len(DAYS), 12.0)
    levels[ROW:] = 1300.0
    assert errors(judged(price_frame("^VIX", levels))) == []


@pytest.mark.parametrize("column", ["high", "close"])
def test_actions_of_a_bad_bar_move_to_the_next_good_one(column: str) -> None:
    frame = with_dividends(price_frame("SPY"), {ROW: 0.004})
    paid = frame.loc[ROW, "dividend"]
    frame.loc[ROW : ROW + 1, column] = [-1.0, -1.0]
    report = judged(frame)
    assert kept_out(report) == [day(ROW), day(ROW + 1)]
    actions = report.accepted.frame.set_index("date")["dividend"]
    assert actions[pd.Timestamp(DAYS[ROW + 2])] == pytest.approx(paid)
    assert actions.sum() == pytest.approx(paid)


def test_a_split_of_a_bad_bar_is_applied_with_the_next_one() -> None:
    frame = scaled(price_frame("SPY"), slice(ROW, None), 0.25).assign(adj_close=np.nan)
    frame.loc[ROW, ["split", "high"]] = [4.0, -1.0]
    report = judged(frame)
    assert kept_out(report) == [day(ROW)]
    splits = report.accepted.frame.set_index("date")["split"]
    assert splits[splits != 1].to_dict() == {pd.Timestamp(DAYS[ROW + 1]): 4.0}


def test_a_dividend_in_doubt_does_not_move_on() -> None:
    frame = with_dividends(price_frame("SPY"), {ROW: 0.03})
    frame.loc[ROW, "dividend"] /= 100
    report = judged(frame)
    assert errors(report) == [("SPY", day(ROW), "dividend_scale")]
    assert report.accepted.frame["dividend"].sum() == 0.0


def test_an_action_owed_from_before_falls_on_the_first_new_bar_only_if_no_bar_lies_between() -> None:
    bars = bars_of(price_frame("SPY"))
    known = Bars(bars.frame.iloc[:ROW].reset_index(drop=True))
    fresh = Bars(bars.frame.iloc[ROW + 1 :].reset_index(drop=True))
    for row, expected in ((ROW, 0.5), (ROW - 3, 0.0)):
        owed = pd.DataFrame({"symbol": ["SPY"], "date": [DAYS[row]], "dividend": [0.5], "split": [1.0]})
        report = accept_bars(fresh, universe(), LATER, history=AcceptedHistory(known, owed))
        assert report.accepted.frame["dividend"].sum() == expected
        assert report.accepted.frame["dividend"].iloc[0] == expected


def test_adjusted_closes_of_two_captures_are_brought_to_one_base() -> None:
    """The new capture lowers everything before a dividend of 3 %; the stored one ended before it."""
    frame = with_dividends(price_frame("SPY"), {ROW: 0.03})
    stored = frame.iloc[: ROW - 2].assign(adj_close=lambda rows: rows["close"])
    fetched = frame.iloc[ROW - 5 :]
    known = AcceptedHistory(bars_of(stored))
    report = accept_bars(bars_of(fetched), universe(), LATER, history=known)
    assert errors(report) == []


def test_no_bars_and_unknown_symbols_in_what_is_known() -> None:
    known = AcceptedHistory(bars_of(price_frame("GLD")))
    assert accept_bars(Bars.empty(), universe(), LATER, history=known).findings == ()
    assert len(accept_bars(bars_of(price_frame("SPY")), universe(), LATER, history=known).accepted) == len(DAYS)
