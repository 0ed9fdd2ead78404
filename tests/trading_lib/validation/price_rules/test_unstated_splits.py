"""A clean leap with an ordinary day around it is a suspected split; a crash is not; nobody's guess is traded on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders.histories import DAYS, history, price_frame, scaled, walk
from tests.builders.prices import bars_of, instant, universe
from trading_lib.domain.market.price_rulings import PriceRuling
from trading_lib.domain.market.prices import Bars
from trading_lib.validation.acceptance import accept_bars
from trading_lib.validation.context import AcceptedHistory
from trading_lib.validation.price_rules.unstated_splits import RULE, split_name, split_suspects, suspected_ratio
from trading_lib.validation.quality import PriceDataset, assess_prices, validate_history
from trading_lib.validation.report import Severity, ValidationReport
from trading_lib.validation.rules import QualityRules

LATER = instant("2023-06-30")
ROW = 200
RULES = QualityRules()


def sound(symbol: str = "XLK", seed: int = 1) -> pd.DataFrame:
    """A market as it trades: openings near the close before, ranges and volumes that vary."""
    generator = np.random.default_rng(seed)
    close = walk(seed)
    opening = np.r_[close[0], close[:-1]] * np.exp(generator.normal(0, 0.004, len(close)))
    reach = np.abs(generator.normal(0, 0.003, (2, len(close))))
    return price_frame(symbol, close).assign(
        open=opening,
        high=np.maximum(opening, close) * (1 + reach[0]),
        low=np.minimum(opening, close) * (1 - reach[1]),
        adj_close=np.nan,
        volume=1e8 / close * np.exp(generator.normal(0, 0.3, len(close))),
    )


def split_at(frame: pd.DataFrame, row: int, ratio: float) -> pd.DataFrame:
    """The split happens and is not stated: prices from ``row`` on are in new shares, and so are volumes."""
    changed = scaled(frame, slice(row, None), 1 / ratio)
    changed.loc[row:, "volume"] *= ratio
    return changed


def judged(
    frame: pd.DataFrame, others: Sequence[pd.DataFrame] = (), rulings: Sequence[PriceRuling] = (), **more: object
) -> ValidationReport:
    checks = [bars_of(other, source=f"other-{number}") for number, other in enumerate(others)]
    return accept_bars(bars_of(frame), universe(), LATER, checks, rulings=rulings, **more)  # type: ignore[arg-type]


def day(row: int) -> date:
    return DAYS[row].item()


def kept_out(report: ValidationReport) -> list[date]:
    return [moment.date() for moment in report.quarantined.frame["date"]]


def splits(report: ValidationReport) -> dict[date, float]:
    frame = report.accepted.frame
    return {moment.date(): ratio for moment, ratio in zip(frame["date"], frame["split"], strict=True) if ratio != 1}


@pytest.mark.parametrize("ratio", [1.5, 2.0, 3.0, 4.0, 5.0, 10.0, 20.0, 1 / 2, 1 / 4, 1 / 5, 1 / 8, 1 / 10])
@pytest.mark.parametrize("adjusted", ["none", "ignores it", "shows it"])
def test_an_unstated_split_is_suspected_and_every_bar_after_it_kept_out(ratio: float, adjusted: str) -> None:
    whole = sound()
    frame = split_at(whole, ROW, ratio)
    if adjusted != "none":
        frame["adj_close"] = whole["close"] if adjusted == "shows it" else frame["close"]
    report = judged(frame)
    assert kept_out(report) == [session.item() for session in DAYS[ROW:]]
    (first,) = [finding for finding in report.errors if finding.session == day(ROW)]
    assert (first.rule, first.severity) == (RULE, Severity.ERROR)
    assert f"looks like an unstated {split_name(ratio)} split" in first.message
    assert f"${100 * ratio * frame['close'][ROW]:,.2f} if it is a split" in first.message


@pytest.mark.parametrize(("ratio", "words"), [(2, "2:1"), (1.5, "3:2"), (4 / 3, "4:3"), (1 / 8, "1:8"), (2 / 3, "2:3")])
def test_a_ratio_is_named_as_issuers_do(ratio: float, words: str) -> None:
    assert split_name(ratio) == words


def with_day(
    opened: float, high: float, low: float, closed: float, dollars: float = 1.0, scale: float = 1.0
) -> pd.DataFrame:
    """The sound market with one day's prices in units of the close before; dollars in units of the usual."""
    frame = sound()
    if scale != 1.0:
        frame = price_frame("XLK", walk(1, 0.01 * scale)).assign(adj_close=np.nan)
        frame = frame.assign(high=frame["close"] * (1 + 0.006 * scale), low=frame["close"] * (1 - 0.006 * scale))
        frame["volume"] = 1e8 / frame["close"]
    before = frame.loc[ROW - 1, "close"]
    frame = scaled(frame, slice(ROW, None), closed * before / frame.loc[ROW, "close"])
    prices = {"open": opened, "high": high, "low": low, "close": closed}
    for column, value in prices.items():
        frame.loc[ROW, column] = value * before
    frame.loc[ROW, "volume"] = dollars * 1e8 / (closed * before)
    return frame


@pytest.mark.parametrize(
    ("name", "frame"),
    [
        # Opening, high, low and close as fractions of the close before, roughly as these days were.
        ("Bitcoin 2020-03-12", with_day(1.0, 1.002, 0.614, 0.628, 1.5, 3.5)),
        ("silver fund -28.5 %", with_day(0.89, 0.91, 0.66, 0.715, 4.0, 3.0)),
        ("XIV 2018-02-06", with_day(0.105, 0.114, 0.0426, 0.0742, 1.5, 3.0)),
        ("SVXY 2018-02-06", with_day(0.184, 0.202, 0.148, 0.163, 1.4, 3.0)),
        ("1987-10-19", with_day(1.0, 1.0, 0.795, 0.795, 2.5)),
        ("META 2022-02-03", with_day(0.757, 0.768, 0.73, 0.736, 4.6, 2.0)),
        ("NFLX 2022-04-20", with_day(0.703, 0.713, 0.61, 0.649, 10.0, 2.5)),
        ("a takeover at twice the price", with_day(2.01, 2.02, 2.0, 2.01, 60.0, 3.0)),
    ],
)
def test_a_real_move_is_no_split(name: str, frame: pd.DataFrame) -> None:
    assert [f for f in judged(frame).findings if f.rule == RULE] == [], name
    dataset = PriceDataset("file", bars_of(frame), bars_of(frame).frame)
    assert [f for f in assess_prices([dataset], universe(), LATER).findings if f.rule == RULE] == [], name


def test_a_fall_during_the_day_and_one_with_many_dollars_are_no_split() -> None:
    """The same close as after a 2:1 split, but the price was there at the end only, or everybody sold."""
    assert RULE in {f.rule for f in judged(with_day(0.5, 0.505, 0.497, 0.502)).errors}
    assert judged(with_day(0.98, 0.99, 0.497, 0.502)).errors == ()
    assert judged(with_day(0.5, 0.505, 0.497, 0.502, dollars=20.0)).errors == ()


def test_without_openings_a_fall_by_a_third_says_nothing_and_one_by_half_does() -> None:
    for ratio, suspected in ((1.5, None), (2.0, 2.0)):
        rows = split_at(sound(), ROW, ratio).assign(open=np.nan, high=np.nan, low=np.nan).iloc[: ROW + 1]
        assert suspected_ratio(history(rows), RULES) == suspected


def test_the_doubt_stands_however_far_the_price_drifts() -> None:
    frame = split_at(sound(), ROW, 2.0)
    drift = np.linspace(0, 0.5, len(frame) - ROW)
    for column in ("open", "high", "low", "close"):
        frame.loc[ROW:, column] *= np.exp(drift)
    assert kept_out(judged(frame)) == [session.item() for session in DAYS[ROW:]]


def test_a_leap_that_is_taken_back_ends_with_itself() -> None:
    frame = scaled(sound(), slice(ROW, ROW + 3), 0.5)
    assert kept_out(judged(frame)) == [day(ROW), day(ROW + 1), day(ROW + 2)]


def test_a_ruled_split_is_stated_where_it_happened_and_nothing_is_kept_out() -> None:
    report = judged(split_at(sound(), ROW, 2.0), rulings=[PriceRuling("XLK", day(ROW), 2.0)])
    assert (kept_out(report), splits(report)) == ([], {day(ROW): 2.0})


@pytest.mark.parametrize("adjusted", ["ignores it", "shows it"])
def test_a_ruled_split_leaves_no_dividend_and_no_finding_beside_an_adjusted_close(adjusted: str) -> None:
    whole = sound()
    frame = split_at(whole, ROW, 2.0)
    frame["adj_close"] = whole["close"] if adjusted == "shows it" else frame["close"]
    if adjusted == "shows it":  # what a file without a dividend column implies
        frame.loc[ROW, "dividend"] = frame.loc[ROW - 1, "close"] - frame.loc[ROW, "close"] * (
            whole.loc[ROW - 1, "close"] / whole.loc[ROW, "close"]
        )
    report = judged(frame, rulings=[PriceRuling("XLK", day(ROW), 2.0)])
    assert (report.errors, splits(report)) == ((), {day(ROW): 2.0})
    assert report.accepted.frame["dividend"].sum() == pytest.approx(0.0)


def test_a_move_ruled_real_is_accepted_as_it_is() -> None:
    report = judged(split_at(sound(), ROW, 2.0), rulings=[PriceRuling("XLK", day(ROW), None)])
    assert (kept_out(report), splits(report)) == ([], {})


def test_a_real_loss_of_nine_tenths_is_accepted_once_it_is_ruled_real() -> None:
    frame = scaled(sound(), slice(ROW, None), 1 / 13.5)
    assert kept_out(judged(frame))[0] == day(ROW)
    assert kept_out(judged(frame, rulings=[PriceRuling("XLK", day(ROW), None)])) == []


def test_a_ruling_about_another_day_or_one_the_source_states_by_now_changes_nothing() -> None:
    frame = split_at(sound(), ROW, 2.0)
    assert kept_out(judged(frame, rulings=[PriceRuling("XLK", day(ROW - 50), 2.0)]))[0] == day(ROW)
    frame.loc[ROW, "split"] = 2.0
    report = judged(frame, rulings=[PriceRuling("XLK", day(ROW), 2.0)])
    assert (kept_out(report), splits(report)) == ([], {day(ROW): 2.0})


def test_a_split_that_the_source_states_late_ends_the_doubt() -> None:
    frame = split_at(sound(), ROW, 2.0)
    frame.loc[ROW + 2, "split"] = 2.0
    report = judged(frame)
    assert (kept_out(report), splits(report)) == ([day(ROW), day(ROW + 1)], {day(ROW + 2): 2.0})


def test_a_source_adjusted_for_splits_tells_a_split_from_a_move() -> None:
    whole, halved = sound(), split_at(sound(), ROW, 2.0)
    report = judged(halved, [whole.assign(adjustment="split")])
    assert (kept_out(report), splits(report)) == ([], {day(ROW): 2.0})
    real = judged(halved, [halved.assign(adjustment="split")])
    assert (kept_out(real), splits(real)) == ([], {})


def test_a_second_source_that_may_be_raw_as_well_confirms_nothing() -> None:
    halved = split_at(sound(), ROW, 2.0).assign(adjustment="raw")
    assert kept_out(judged(halved, [halved]))[0] == day(ROW)


def test_sessions_decided_meanwhile_stay_out_and_the_split_counts_on_the_next_bar() -> None:
    frame = split_at(sound(), ROW, 2.0)
    late = {("XLK", day(row)) for row in range(ROW, ROW + 4)}
    report = judged(frame, rulings=[PriceRuling("XLK", day(ROW), 2.0)], late=late)
    assert kept_out(report) == [day(row) for row in range(ROW, ROW + 4)]
    assert splits(report) == {day(ROW + 4): 2.0}
    real = judged(frame, rulings=[PriceRuling("XLK", day(ROW), None)], late=late)
    assert (kept_out(real), splits(real)) == ([day(row) for row in range(ROW, ROW + 4)], {})


def test_the_volatility_index_splits_never() -> None:
    assert judged(split_at(sound("^VIX"), ROW, 2.0)).errors == ()


def test_hindsight_names_the_day_once_and_no_dividend_beside_it() -> None:
    whole = sound()
    frame = split_at(whole, ROW, 2.0).assign(adj_close=whole["close"])
    dataset = PriceDataset("file", bars_of(frame), bars_of(frame).frame)
    (finding,) = assess_prices([dataset], universe(), LATER).findings
    assert (finding.rule, finding.session, finding.severity) == (RULE, day(ROW), Severity.ERROR)
    ruled = assess_prices([dataset], universe(), LATER, rulings=[PriceRuling("XLK", day(ROW), 2.0)])
    assert [f for f in ruled.findings if f.severity is Severity.ERROR] == []
    arrived = validate_history(bars_of(frame), universe(), LATER, rulings=[PriceRuling("XLK", day(ROW), 2.0)])
    assert arrived.findings == ()


def in_steps(frame: pd.DataFrame, rulings: Sequence[PriceRuling], again: int = 9) -> tuple[Bars, set[date]]:
    """Judge a few days at a time as a pipeline does; what the suspicion keeps out is delivered again each time."""
    bars = bars_of(frame)
    accepted, waiting, bad = Bars.empty(), Bars.empty().frame, set[date]()
    for row in [*range(0, len(frame), 8), len(frame) - 1]:
        fetched = bars.frame.iloc[max(0, row - again) : row + 1]
        fetched = pd.concat([waiting[~waiting["date"].isin(fetched["date"])], fetched])
        known = AcceptedHistory(accepted)
        report = accept_bars(Bars.from_frame(fetched), universe(), LATER, history=known, rulings=rulings)
        before = accepted.frame[~accepted.frame["date"].isin(fetched["date"])]
        accepted = Bars.from_frame(pd.concat([before, report.accepted.frame], ignore_index=True))
        waiting = report.quarantined.frame
        bad = (bad - set(fetched["date"].dt.date)) | set(kept_out(report))
    return accepted, bad


@settings(max_examples=4, deadline=None)
@given(
    row=st.integers(40, len(DAYS) - 5),
    ratio=st.sampled_from([1.5, 2.0, 4.0, 1 / 5]),
    back=st.booleans(),
    decided=st.sampled_from(["", "split", "move"]),
)
def test_loading_at_once_and_day_by_day_keep_out_the_same_bars(
    row: int, ratio: float, back: bool, decided: str
) -> None:
    frame = split_at(sound(), row, ratio)
    if back:
        frame = split_at(frame, row + 3, 1 / ratio)
    ruling = PriceRuling("XLK", day(row), ratio if decided == "split" else None)
    rulings = [ruling] if decided else []
    whole = judged(frame, rulings=rulings)
    accepted, bad = in_steps(frame, rulings)
    assert bad == set(kept_out(whole))
    pd.testing.assert_frame_equal(accepted.frame, whole.accepted.frame)
    early = judged(frame.iloc[: row + 2], rulings=rulings)
    assert kept_out(early) == [session for session in kept_out(whole) if session <= day(row + 1)]


def test_only_rows_that_leap_are_looked_at() -> None:
    assert not split_suspects(history(sound()), RULES).any()
    assert split_suspects(history(split_at(sound(), ROW, 1.5)), RULES).sum() == 1


def test_a_fund_that_hardly_moves_needs_no_perfect_day() -> None:
    quiet = price_frame("TLT", np.full(len(DAYS), 91.5)).assign(adj_close=np.nan, high=91.51, low=91.49)
    assert kept_out(judged(split_at(quiet, ROW, 2.0)))[0] == day(ROW)


def test_a_rule_can_be_tightened() -> None:
    strict = replace(RULES, opening_scales=0.0, least_opening=0.0, exact_opening=0.0)
    rows = split_at(sound(), ROW, 2.0).iloc[: ROW + 1]
    assert suspected_ratio(history(rows), strict) is None
