"""The patient trend sleeve: what waits, how long, and that nothing else differs from the trend sleeve."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders.decisions import make_regime, make_signals
from tests.builders.markets import ASSETS, UNIVERSE, at, backtest_input, make_view, market_of, random_bars, vector
from trading_lib.backtest.engine import run_backtest
from trading_lib.decision_config import DecisionConfig
from trading_lib.domain.decision.signals import SignalPanel, SignalType
from trading_lib.domain.decision.sleeves import SleeveTarget, SleeveView
from trading_lib.domain.errors import ConfigurationError
from trading_lib.domain.kernels import python_version
from trading_lib.strategies.config import ConfirmedTrendConfig, StrategySettings, TrendConfig
from trading_lib.strategies.registry import check_sleeves, running_sleeves
from trading_lib.strategies.trend.confirmed_trend import ConfirmedTrend, confirmed_codes
from trading_lib.strategies.trend.trend import Trend

SPY = at("SPY")
HOLDING = vector(0.0, SPY=0.17)
SELL, STRONG_SELL, HOLD, BUY = -1, -2, 0, 1


def view_of(signals: SignalPanel, held: np.ndarray, memory: dict[str, float] | None = None) -> SleeveView:
    return SleeveView(held, held, memory or {}, make_regime(), signals)


def story(*codes: int, sessions: int = 3, held: float = 0.17) -> list[SleeveTarget]:
    """What the sleeve answers when SPY has these signals one after the other and its holding does not change."""
    strategy, memory, answers = ConfirmedTrend(ConfirmedTrendConfig(sessions=sessions), 0.2), {}, []
    for code in codes:
        sleeve = view_of(make_signals(vector(0, SPY=code)), vector(0.0, SPY=held), memory)
        answers.append(strategy.target(make_view(), sleeve))
        memory = dict(answers[-1].memory)
    return answers


def wanted(*codes: int, **options: float) -> list[float]:
    return [float(answer.weights[SPY]) for answer in story(*codes, **options)]  # type: ignore[arg-type]


def bought() -> float:
    """What the trend sleeve buys of SPY."""
    sleeve = view_of(make_signals(vector(0, SPY=BUY)), np.zeros(ASSETS))
    return float(Trend(TrendConfig(), 0.2).target(make_view(), sleeve).weights[SPY])


@pytest.mark.parametrize("sell", [SELL, STRONG_SELL])
def test_a_sell_sells_once_it_has_stood(sell: int) -> None:
    assert wanted(sell, sell, sell, sell) == [0.17, 0.17, 0.0, 0.0]


def test_a_sell_that_pauses_begins_anew() -> None:
    assert wanted(SELL, SELL, HOLD, SELL, SELL, SELL) == [0.17] * 5 + [0.0]


def test_a_buy_buys_once_no_sell_came_for_as_long() -> None:
    full = bought()
    assert full > 0.1
    assert wanted(HOLD, HOLD, BUY, BUY, held=0.0) == pytest.approx([0.0, 0.0, full, full])
    assert wanted(BUY, BUY, BUY, SELL, BUY, BUY, BUY, held=0.0) == pytest.approx([0, 0, full, 0, 0, 0, full])


def test_the_signal_itself_decides_how_much_is_bought_or_sold() -> None:
    """A confirmed buy after a sell that was never confirmed is bought at the trend sleeve's size at once."""
    assert wanted(BUY, BUY, BUY, SELL, SELL, BUY, BUY, BUY)[3:] == pytest.approx([0.17, 0.17, 0.17, 0.17, bought()])


def test_a_session_without_a_signal_counts_for_neither() -> None:
    strategy = ConfirmedTrend(ConfirmedTrendConfig(sessions=2), 0.2)
    unknown = make_signals(0, 0.0)
    unknown.complete[SPY] = False
    memory = story(SELL, sessions=2)[-1].memory
    after = strategy.target(make_view(), view_of(unknown, HOLDING, dict(memory)))
    assert after.weights[SPY] == 0.17
    assert after.memory["SPY"] == memory["SPY"] == -1.0
    last = strategy.target(make_view(), view_of(make_signals(vector(0, SPY=SELL)), HOLDING, dict(after.memory)))
    assert last.weights[SPY] == 0.0


def test_it_remembers_no_more_than_it_needs() -> None:
    answers = story(*[SELL] * 9, *[BUY] * 9)
    assert [answer.memory["SPY"] for answer in answers] == [-1, -2, *[-3] * 7, 1, 2, *[3] * 7]
    assert answers[0].memory.keys() == set(UNIVERSE.symbols)


@given(st.integers(0, 10_000), st.integers(1, 5))
def test_confirmed_signals_give_what_the_trend_sleeve_gives(seed: int, sessions: int) -> None:
    """With one session nothing ever waits; with more, nothing waits once everything has stood as long."""
    generator = np.random.default_rng(seed)
    signals = make_signals(generator.integers(-2, 3, ASSETS), generator.uniform(0, 1, ASSETS))
    held = generator.dirichlet(np.ones(ASSETS)) * generator.uniform(0, 1)
    view = make_view(
        {"Volatility_60": generator.uniform(0.02, 0.6, ASSETS)}, mark_returns=generator.normal(0, 0.02, (80, ASSETS))
    )
    memory = {s: float(np.sign(signals.codes[i]) or 1) * (sessions - 1) for i, s in enumerate(UNIVERSE.symbols)}
    answer = ConfirmedTrend(ConfirmedTrendConfig(sessions=sessions), 0.2).target(view, view_of(signals, held, memory))
    expected = Trend(TrendConfig(), 0.2).target(view, view_of(signals, held))
    np.testing.assert_array_equal(answer.weights, expected.weights)
    assert answer.rationale() == expected.rationale()


def test_it_says_what_waits_and_for_how_long() -> None:
    waiting = story(SELL, SELL)
    assert waiting[1].rationale()["SPY"] == "SELL waits, session 2 of 3; HOLD keeps what is held: 17.0%"
    assert story(BUY, held=0.0)[0].rationale() == {"SPY": "BUY waits, session 1 of 3"}
    assert "SPY" not in story(SELL, SELL, SELL)[-1].rationale()


def test_it_leaves_the_session_as_others_see_it() -> None:
    signals = make_signals(vector(0, SPY=SELL))
    ConfirmedTrend(ConfirmedTrendConfig(), 0.2).target(make_view(), view_of(signals, HOLDING))
    assert signals.codes[SPY] == SignalType.SELL


def test_a_sleeve_by_its_name_with_its_own_patience() -> None:
    settings = StrategySettings.model_validate(
        {
            "sleeves": {
                "patient_trend": 0.5,
                "hasty": {"strategy": "patient_trend", "budget": 0.5, "options": {"sessions": 1}},
            },
            "patient_trend": {"sessions": 2},
        }
    )
    patient, hasty = (sleeve.strategy for sleeve in running_sleeves(settings))
    sell = view_of(make_signals(vector(0, SPY=SELL)), HOLDING)
    assert patient.target(make_view(), sell).weights[SPY] == 0.17
    assert hasty.target(make_view(), sell).weights[SPY] == 0.0
    for wrong in ({"sessions": 0}, {"patience": 3}):
        sleeves = {"trend": 0.5, "mine": {"strategy": "patient_trend", "budget": 0.5, "options": wrong}}
        with pytest.raises(ConfigurationError, match="sleeve mine"):
            check_sleeves(StrategySettings.model_validate({"sleeves": sleeves}))


def test_in_the_engine_it_trades_less_and_with_one_session_it_is_the_trend_sleeve() -> None:
    market = market_of(random_bars(date(2020, 1, 2), date(2022, 6, 30), seed=4))

    def navs(**sleeve: object) -> tuple[np.ndarray, int]:
        settings = StrategySettings.model_validate({"sleeves": {"mine": {"budget": 1.0, **sleeve}}})
        run = run_backtest(
            backtest_input(market, DecisionConfig(strategy=settings)), date(2021, 1, 4), date(2022, 6, 30)
        )
        assert not any(event.kind == "sleeve_fault" for event in run.events)
        return run.nav, len(run.fills)

    trend, trades = navs(strategy="trend")
    same, _ = navs(strategy="patient_trend", options={"sessions": 1})
    np.testing.assert_array_equal(same, trend)
    _, fewer = navs(strategy="patient_trend")
    assert 0 < fewer < 0.8 * trades


@settings(deadline=None)
@given(
    codes=st.lists(st.integers(-2, 2), min_size=5, max_size=5),
    complete=st.lists(st.booleans(), min_size=5, max_size=5),
    runs=st.lists(st.integers(-4, 4), min_size=5, max_size=5),
    sessions=st.integers(1, 4),
)
def test_compiled_and_plain_agree(codes: list[int], complete: list[bool], runs: list[int], sessions: int) -> None:
    known = np.clip(np.array(runs, np.float64), -sessions, sessions)
    arguments = (np.array(codes, np.int8), np.array(complete), known, sessions)
    found = confirmed_codes(*arguments)
    for one, other in zip(found, python_version(confirmed_codes)(*arguments), strict=True):
        np.testing.assert_array_equal(one, other)
    confirmed, after = found
    np.testing.assert_array_equal(after[~np.array(complete)], known[~np.array(complete)])
    assert ((confirmed == codes) | (confirmed == 0)).all()
    assert (np.abs(after[confirmed != 0]) == sessions).all()
