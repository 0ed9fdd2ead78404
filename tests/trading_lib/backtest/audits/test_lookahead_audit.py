"""The audit passes on the system as it is, and names the culprit of every fault planted here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.builders.markets import CALENDAR, UNIVERSE, backtest_input, market_of, random_bars, random_macro
from trading_lib.backtest.audits.lookahead import (
    COMPILED_LOOP,
    FILL_PAST_OPENING,
    SAME_BAR_FILL,
    audit_lookahead,
    every_sleeve,
)
from trading_lib.backtest.audits.lookahead_report import Check, LookaheadReport
from trading_lib.backtest.audits.truncation import BARS, FUNDING, MACRO, OPENED, RawHistory
from trading_lib.backtest.compiled import run
from trading_lib.backtest.compiled.precompute import MarketInputs
from trading_lib.decision_config import DecisionConfig
from trading_lib.domain.book.orders import Cancellation, Fill, Order
from trading_lib.domain.book.portfolio import Portfolio
from trading_lib.domain.decision.sleeves import SleeveTarget, SleeveView
from trading_lib.domain.market.market_view import MarketView
from trading_lib.domain.market.positioning import FundingRates
from trading_lib.domain.market.prices import Bars, FloatArray, MacroSeries
from trading_lib.market_data.funding import assemble_funding
from trading_lib.session import step
from trading_lib.session.inputs import SessionInput
from trading_lib.strategies.config import CarryConfig, StrategySettings
from trading_lib.strategies.registry import BUILT_IN, register_strategy

FIRST, LAST = date(2020, 1, 2), date(2021, 8, 31)
START = date(2021, 2, 8)
Build = Callable[[RawHistory, date], SessionInput]


@pytest.fixture(scope="module")
def history() -> RawHistory:
    bars, macro = random_bars(FIRST, LAST, 11, daily_volatility=0.016), random_macro(FIRST, LAST, 11)
    return RawHistory({BARS: bars.frame, MACRO: macro.frame}, ("BTC-USD",))


def honest(history: RawHistory, last: date) -> SessionInput:
    return backtest_input(market_of(all_bars(history), MacroSeries(history.frames[MACRO]), last))


def all_bars(history: RawHistory) -> Bars:
    frames = [history.frames[kind] for kind in (BARS, OPENED) if kind in history.frames]
    return Bars.from_frame(pd.concat([frame for frame in frames if len(frame)]))


def audit(history: RawHistory, build: Build, cuts: int = 12, complete_runs: int = 0) -> LookaheadReport:
    return audit_lookahead(history, build, START, LAST, cuts=cuts, seed=3, complete_runs=complete_runs)


def culprits(report: LookaheadReport) -> set[tuple[str, str]]:
    return {(f.difference.layer.value, f.difference.name) for f in report.findings if f.origin}


def consequences(report: LookaheadReport) -> set[str]:
    return {f.difference.layer.value for f in report.findings if not f.origin}


def with_sleeves(build: Build, **sleeves: object) -> Build:
    config = DecisionConfig(strategy=StrategySettings.model_validate({"sleeves": sleeves}))
    return lambda history, last: replace(build(history, last), config=config)


def tomorrow(values: FloatArray) -> FloatArray:
    """Each row with the next one's value."""
    return np.concatenate([values[1:], values[-1:]])


def test_the_system_as_it_is_comes_out_clean(history: RawHistory) -> None:
    report = audit(history, honest, cuts=15, complete_runs=1)
    assert report.findings == ()
    assert len(report.cuts) == 15
    assert report.cuts[-1] < report.last == LAST
    assert report.fills_checked > 10
    assert set(report.sleeves) >= BUILT_IN
    assert report.complete_runs == 1
    assert report.sleeve_faults == {}


def test_every_sleeve_has_a_budget_whether_configured_or_not() -> None:
    settings = StrategySettings.model_validate({"sleeves": {"trend": 1.0, "mine": {"strategy": "trend", "budget": 0}}})
    sleeves = every_sleeve(DecisionConfig(strategy=settings)).strategy.sleeves
    assert {sleeve.name for sleeve in sleeves} == {"mine", *BUILT_IN}
    assert {sleeve.budget for sleeve in sleeves} == {1 / (len(BUILT_IN) + 1)}


def test_a_peeking_factor_is_named_with_what_follows_from_it(history: RawHistory) -> None:
    def peeking(history: RawHistory, last: date) -> SessionInput:
        data = honest(history, last)
        values = data.factors.values.copy()
        at = data.factors.names.index("Momentum_60")
        values[at] = tomorrow(values[at])
        return replace(data, factors=replace(data.factors, values=values))

    report = audit(history, peeking)
    assert culprits(report) == {("factor", "Momentum_60")}
    assert {"signal", "sleeve"} <= consequences(report)
    found = report.findings[0]
    assert found.origin
    assert found.difference.session <= found.cut
    assert float(found.difference.full) != float(found.difference.known)


def test_a_peek_into_a_factor_that_decides_nothing_is_found_too(history: RawHistory) -> None:
    def peeking(history: RawHistory, last: date) -> SessionInput:
        data = honest(history, last)
        values = data.factors.values.copy()
        at = data.factors.names.index("ATR_14")
        # Normalised by the standard deviation of the whole history, the classic of careless feature code.
        values[at] /= np.nanstd(values[at], axis=0)
        return replace(data, factors=replace(data.factors, values=values))

    assert culprits(audit(history, peeking, cuts=4)) == {("factor", "ATR_14")}


class PeekingSleeve:
    """Buys what rises tomorrow: the array behind the view goes on past its session."""

    def target(self, view: MarketView, sleeve: SleeveView) -> SleeveTarget:
        everything, row = view.mark_returns.base, len(view.mark_returns)
        assert everything is not None
        rises = everything[row] > 0 if row < len(everything) else np.zeros(len(view.universe), dtype=np.bool_)
        return SleeveTarget(np.where(rises, 0.05, 0.0))


class RememberingSleeve:
    """Keeps state of its own instead of `SleeveView.memory`, so the same session never comes out twice."""

    def __init__(self) -> None:
        self._calls = 0

    def target(self, view: MarketView, sleeve: SleeveView) -> SleeveTarget:
        self._calls += 1
        return SleeveTarget(np.full(len(view.universe), 0.05 / self._calls))


class FailingSleeve:
    def target(self, view: MarketView, sleeve: SleeveView) -> SleeveTarget:
        raise ZeroDivisionError


@pytest.mark.parametrize("budget", [0.0, 0.4])
def test_a_peeking_sleeve_is_named_with_or_without_a_budget(history: RawHistory, budget: float) -> None:
    register_strategy("planted:Peeking", PeekingSleeve)
    build = with_sleeves(honest, trend=0.5, clairvoyant={"strategy": "planted:Peeking", "budget": budget})
    report = audit(history, build)
    assert culprits(report) == {("sleeve", "clairvoyant")}
    assert ("constraint" in consequences(report)) == (budget > 0)


def test_a_sleeve_that_does_not_repeat_itself_is_named(history: RawHistory) -> None:
    register_strategy("planted:Remembering", RememberingSleeve)
    build = with_sleeves(honest, trend=0.5, forgetful={"strategy": "planted:Remembering", "budget": 0.2})
    report = audit(history, build, cuts=3)
    assert culprits(report) == {("sleeve", "forgetful")}
    assert report.findings[0].check is Check.REPEATED


def test_a_sleeve_that_always_fails_is_not_called_clean_silently(history: RawHistory) -> None:
    register_strategy("planted:Failing", FailingSleeve)
    build = with_sleeves(honest, trend=0.5, broken={"strategy": "planted:Failing", "budget": 0.2})
    report = audit(history, build, cuts=2)
    assert report.sleeve_faults == {"broken": report.sessions}


def with_openings(panel_openings: Callable[[SessionInput], FloatArray]) -> Build:
    def build(history: RawHistory, last: date) -> SessionInput:
        data = honest(history, last)
        return replace(data, panel=replace(data.panel, fill_open=panel_openings(data)))

    return build


def test_a_fill_at_the_close_of_the_decision_is_found(history: RawHistory) -> None:
    report = audit(history, with_openings(lambda data: np.concatenate([data.panel.close[:1], data.panel.close[:-1]])))
    assert culprits(report) == {("fill", SAME_BAR_FILL)}


def test_a_fill_at_the_close_after_the_opening_is_found(history: RawHistory) -> None:
    report = audit(history, with_openings(lambda data: data.panel.close))
    assert ("fill", FILL_PAST_OPENING) in culprits(report)


def test_a_broker_that_fills_on_the_bar_of_the_decision_is_found(
    history: RawHistory, monkeypatch: pytest.MonkeyPatch
) -> None:
    ordinary = step.execute

    def same_bar(
        data: SessionInput, portfolio: Portfolio, working: Sequence[Order], row: int, day: date
    ) -> tuple[list[Fill], list[Cancellation]]:
        filled, cancelled = ordinary(data, portfolio, working, row, day)
        expected = {order.client_order_id: order for order in working}
        return [
            replace(
                fill,
                price=expected[fill.client_order_id].expected_price.quantize(Decimal("0.0001")),
                filled_at=CALENDAR.close(expected[fill.client_order_id].session),
            )
            for fill in filled
        ], cancelled

    monkeypatch.setattr(step, "execute", same_bar)
    report = audit(history, honest)
    # It is planted on the slow path only, so the loop disagrees as well.
    assert culprits(report) == {("fill", SAME_BAR_FILL), ("account", COMPILED_LOOP)}
    assert "2021-" in report.findings[0].difference.known


def test_a_regime_that_reads_tomorrows_volatility_index_is_found(history: RawHistory) -> None:
    def peeking(history: RawHistory, last: date) -> SessionInput:
        data = honest(history, last)
        return replace(data, panel=replace(data.panel, volatility_index=tomorrow(data.panel.volatility_index)))

    report = audit(history, peeking)
    assert culprits(report) == {("data", "volatility_index")}
    assert "regime" in consequences(report)


def funded(history: RawHistory) -> RawHistory:
    """The same with a rate of one venue every eight hours, high and low by turns of a fortnight."""
    settled = pd.date_range(FIRST, LAST, freq="8h", tz="UTC").astype("datetime64[us, UTC]")
    turn = np.arange(len(settled)) // 42 % 2 == 0
    noise = np.random.default_rng(4).normal(0, 2e-5, len(settled))
    columns = {"venue": "binance", "symbol": "BTC-USDT", "settled_at": settled, "source": "test"}
    rates = pd.DataFrame(columns | {"rate": np.where(turn, 4e-4, -3e-4) + noise, "interval_hours": 8.0})
    frame = FundingRates.from_frame(rates.assign(available_at=settled)).frame
    return replace(history, frames={**history.frames, FUNDING: frame})


def test_carry_is_audited_with_the_rates_it_reads(history: RawHistory) -> None:
    carry = CarryConfig(allowed_venues=("binance",), minimum_days=20)
    universe = replace(UNIVERSE, perpetuals=carry.contract)
    strategy = StrategySettings.model_validate({"sleeves": {"trend": 0.7, "carry": 0.2}, "carry": carry})

    def build(history: RawHistory, last: date) -> SessionInput:
        data = honest(history, last)
        bars, rates = all_bars(history), FundingRates(history.frames[FUNDING])
        funding = assemble_funding(rates, bars, carry.contract, data.panel.sessions, CALENDAR)
        return replace(data, universe=universe, config=DecisionConfig(strategy=strategy), funding=funding)

    def early(history: RawHistory, last: date) -> SessionInput:
        """Build with rates that are taken for known a day before they settled."""
        rates = history.frames[FUNDING]
        shifted = rates.assign(available_at=rates["available_at"] - pd.Timedelta(days=1))
        return build(replace(history, frames={**history.frames, FUNDING: shifted}), last)

    with_rates = funded(history)
    report = audit(with_rates, build, cuts=10, complete_runs=1)
    assert report.findings == ()
    assert report.fills_checked > 5
    found = culprits(audit(with_rates, early, cuts=10))
    assert ("data", "funding rate") in found
    assert {layer for layer, _ in found} == {"data"}


def test_a_settlement_at_a_price_that_was_not_known_is_found(history: RawHistory) -> None:
    carry = CarryConfig(allowed_venues=("binance",), minimum_days=20)

    def build(history: RawHistory, last: date) -> SessionInput:
        data, rates = honest(history, last), FundingRates(history.frames[FUNDING])
        # Without the opening of the unfinished day, a position is valued at the price of the day before.
        funding = assemble_funding(rates, Bars(history.frames[BARS]), carry.contract, data.panel.sessions, CALENDAR)
        return replace(data, universe=replace(UNIVERSE, perpetuals=carry.contract), funding=funding)

    assert culprits(audit(funded(history), build, cuts=3)) == {("data", "funding settlements")}


def test_prices_adjusted_backwards_are_found(history: RawHistory) -> None:
    def backwards(history: RawHistory, last: date) -> SessionInput:
        data = honest(history, last)
        factor = data.factors.price_factor
        newest = np.array([column[np.isfinite(column)][-1] for column in factor.T])
        return replace(data, factors=replace(data.factors, price_factor=factor / newest))

    report = audit(history, backwards, cuts=4)
    assert culprits(report) == {("data", "price_factor")}


def test_a_macro_value_before_its_publication_is_found(history: RawHistory) -> None:
    def too_early(history: RawHistory, last: date) -> SessionInput:
        macro = history.frames[MACRO]
        early = macro.assign(available_at=macro["date"].dt.tz_localize("UTC"))
        return honest(replace(history, frames={**history.frames, MACRO: early}), last)

    # Known ten days after the first of each month: cuts in between are needed.
    report = audit(history, too_early, cuts=25)
    assert culprits(report) == {("data", "cash_rate")}


def test_a_filter_that_asks_the_next_bar_whether_this_one_was_wrong_is_found(history: RawHistory) -> None:
    def despiked(history: RawHistory, last: date) -> SessionInput:
        bars = history.frames[BARS]
        close = bars.groupby("symbol")["close"]
        spike = (bars["close"] > close.shift(1) * 1.01) & (bars["close"] > close.shift(-1) * 1.01)
        kept = bars[~spike].reset_index(drop=True)
        return honest(replace(history, frames={**history.frames, BARS: kept}), last)

    report = audit(history, despiked)
    assert ("data", "fresh") in culprits(report)


def test_knowing_less_leaves_only_the_opening_of_an_unfinished_bar(history: RawHistory) -> None:
    moment = CALENDAR.decision_time(date(2021, 6, 4))  # a Friday
    known = history.known_at(moment)
    assert (known.frames[BARS]["available_at"] <= pd.Timestamp(moment)).all()
    assert known.frames[BARS]["date"].max() == pd.Timestamp("2021-06-04")
    opened = known.frames[OPENED]
    assert opened["symbol"].tolist() == ["BTC-USD"]
    assert opened["date"].tolist() == [pd.Timestamp("2021-06-04")]
    assert np.isfinite(opened["open"]).all()
    assert opened[["high", "low", "close", "volume"]].isna().all(axis=None)


@pytest.mark.parametrize("kept", [True, False])
def test_scrambling_leaves_the_past_alone_and_changes_everything_after_it(history: RawHistory, kept: bool) -> None:
    day = date(2021, 6, 4)
    moment, until = CALENDAR.decision_time(day), CALENDAR.decision_time(date(2021, 6, 18))
    openings = np.array(["2021-06-04", "2021-06-07"], "datetime64[D]") if kept else None
    scrambled = history.scrambled_after(moment, until, 5, openings).frames[BARS]
    truth = history.known_at(until).frames[BARS]
    assert scrambled[["symbol", "date"]].equals(truth[["symbol", "date"]])
    later = truth["available_at"] > pd.Timestamp(moment)
    pd.testing.assert_frame_equal(scrambled[~later], truth[~later])
    assert (scrambled["close"] != truth["close"])[later & truth["close"].notna()].all()
    assert (scrambled["high"] >= scrambled[["open", "close", "low"]].max(axis=1) - 1e-9).all()
    monday = later & (truth["date"] == pd.Timestamp("2021-06-07"))
    assert (scrambled["open"] == truth["open"])[monday].all() == kept


def test_the_asset_axis_is_named_in_the_finding(history: RawHistory) -> None:
    def peeking(history: RawHistory, last: date) -> SessionInput:
        data = honest(history, last)
        volume = data.panel.volume.copy()
        column = UNIVERSE.positions["GLD"]
        volume[:, column] = tomorrow(volume[:, column])
        return replace(data, panel=replace(data.panel, volume=volume))

    (found,) = audit(history, peeking, cuts=3).findings
    assert (found.difference.name, found.difference.symbol) == ("volume", "GLD")
    assert 2 <= found.times <= 3


def test_a_compiled_loop_that_looks_ahead_is_found(history: RawHistory, monkeypatch: pytest.MonkeyPatch) -> None:
    ordinary = run.market_inputs

    def peeking(*arguments: Any) -> MarketInputs:
        inputs = ordinary(*arguments)
        return inputs._replace(codes=np.roll(inputs.codes, -1, axis=0))

    monkeypatch.setattr(run, "market_inputs", peeking)
    report = audit(history, honest)
    assert culprits(report) == {("account", COMPILED_LOOP)}
    assert report.findings[0].check is Check.LOOP
