"""A closely correlated pair is told once when it rises and once when it has fallen back, with its figure."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders.decisions import make_portfolio, make_signals, make_state
from tests.builders.markets import ASSETS, UNIVERSE, make_view
from tests.environment.interpreted import interpreted
from trading_lib.domain.decision.risk import RiskAssessment, RiskState
from trading_lib.domain.decision.signals import MarketRegime, RegimeReading
from trading_lib.domain.decision.weights import TargetWeights
from trading_lib.domain.market.prices import FloatArray
from trading_lib.risk.assess import assess_risk
from trading_lib.risk.config import CorrelationConfig, RiskConfig
from trading_lib.risk.limits import pair_rules
from trading_lib.risk.limits.pair_rules import correlated_pairs, named_pairs, pair_flags, pair_names, pair_values

NORMAL = RegimeReading(MarketRegime.NORMAL, 15.0, 0, False)
SYMBOLS = UNIVERSE.symbols


def correlations(**pairs: float) -> FloatArray:
    """All zero but those named, e.g. ``SPY_QQQ=0.8``."""
    found = np.eye(ASSETS)
    for name, value in pairs.items():
        i, j = (UNIVERSE.positions[symbol] for symbol in name.split("_"))
        found[i, j] = found[j, i] = value
    return found


def assess(state: RiskState, matrix: FloatArray, **bounds: float) -> RiskAssessment:
    nothing = np.zeros(ASSETS)
    config = RiskConfig(correlation=CorrelationConfig(**bounds))
    targets = TargetWeights(nothing, nothing, matrix, {}, {})
    return assess_risk(make_view(), NORMAL, make_signals(), targets, nothing, make_portfolio(100_000), state, config)


def told(assessment: RiskAssessment) -> list[tuple[str, tuple[str, ...]]]:
    return [(e.reason, e.actions) for e in assessment.events if e.kind == "pair_correlation"]


def lives(*matrices: FloatArray, **bounds: float) -> list[list[tuple[str, tuple[str, ...]]]]:
    """What consecutive sessions tell."""
    state, found = make_state(), []
    for matrix in matrices:
        assessment = assess(state, matrix, **bounds)
        found.append(told(assessment))
        state = assessment.next_state
    return found


def test_a_pair_is_told_when_it_rises_and_when_it_has_fallen_back_and_not_in_between() -> None:
    """Worked example: 0.70 is not above 0.70; 0.66 is not back at 0.65; 0.65 is; then 0.71 is told again."""
    path = (0.70, 0.71, 0.90, 0.69, 0.66, 0.65, 0.69, 0.71)
    rise = ("WARNING", "REDUCE_COMBINED_CAP SPY/QQQ")
    assert lives(*(correlations(SPY_QQQ=value) for value in path)) == [
        [],
        [("pair correlation above 0.70: SPY/QQQ 0.710", rise)],
        [],
        [],
        [],
        [("no longer above 0.65: SPY/QQQ 0.650", ())],
        [],
        [("pair correlation above 0.70: SPY/QQQ 0.710", rise)],
    ]


def test_one_event_names_all_pairs_of_a_session() -> None:
    first, second = lives(correlations(SPY_QQQ=0.8, GLD_SLV=0.9), correlations(SPY_QQQ=0.1, GLD_SLV=0.9, XLK_XLF=0.75))
    assert [reason for reason, _ in first] == ["pair correlation above 0.70: SPY/QQQ 0.800, GLD/SLV 0.900"]
    assert [reason for reason, _ in second] == [
        "pair correlation above 0.70: XLK/XLF 0.750; no longer above 0.65: SPY/QQQ 0.100"
    ]
    assert second[0][1] == ("WARNING", "REDUCE_COMBINED_CAP XLK/XLF")


def test_without_a_margin_every_crossing_is_told() -> None:
    found = lives(*(correlations(SPY_QQQ=v) for v in (0.71, 0.70, 0.71)), pair_warning=0.7, pair_rearm=0.7)
    assert [len(events) for events in found] == [1, 1, 1]


def test_a_negative_correlation_is_no_close_one() -> None:
    assert lives(correlations(SPY_TLT=-0.95)) == [[]]


def test_an_unknown_pair_stays_as_it_was() -> None:
    known, unknown = correlations(SPY_QQQ=0.8), correlations(SPY_QQQ=np.nan)
    assert [len(events) for events in lives(unknown, known, unknown, known, correlations())] == [0, 1, 0, 0, 1]


def test_a_state_of_before_names_pairs_of_assets_that_are_gone() -> None:
    found = assess(make_state(correlated=frozenset({"SPY/QQQ", "GONE/SPY"})), correlations(SPY_QQQ=0.8))
    assert told(found) == []
    assert found.next_state.correlated == {"SPY/QQQ"}


def test_weights_do_not_depend_on_what_was_told() -> None:
    matrix = correlations(SPY_QQQ=0.8)
    fresh, known = assess(make_state(), matrix), assess(make_state(correlated=frozenset({"SPY/QQQ"})), matrix)
    np.testing.assert_array_equal(fresh.weights, known.weights)
    assert (fresh.level, fresh.floor) == (known.level, known.floor)


def test_a_rearm_above_the_warning_is_refused() -> None:
    with pytest.raises(ValueError, match=r"pair_rearm 0.8 must not lie above pair_warning 0.7"):
        CorrelationConfig(pair_warning=0.7, pair_rearm=0.8)


def test_names_and_flags_are_the_same_pairs() -> None:
    names = pair_names(SYMBOLS)
    assert len(set(names)) == ASSETS * (ASSETS - 1) // 2
    matrix = np.arange(ASSETS * ASSETS, dtype=float).reshape(ASSETS, ASSETS)
    matrix = np.minimum(matrix, matrix.T)
    values = dict(zip(names, pair_values(matrix, list(range(len(names)))).values(), strict=True))
    i, j = UNIVERSE.positions["SPY"], UNIVERSE.positions["TLT"]
    assert values["SPY/TLT"] == matrix[i, j]
    some = frozenset(names[::7])
    assert named_pairs(pair_flags(some, SYMBOLS), SYMBOLS) == some


@given(st.data())
def test_the_kernel_does_what_one_pair_at_a_time_says(data: Any) -> None:
    sessions, assets = data.draw(st.integers(0, 6)), data.draw(st.integers(2, 4))
    value = st.one_of(st.floats(-1, 1), st.sampled_from([0.70, 0.65, float("nan")]))
    pairs = assets * (assets - 1) // 2
    paths = [[data.draw(value) for _ in range(pairs)] for _ in range(sessions)]
    before = np.array([data.draw(st.booleans()) for _ in range(pairs)], np.bool_)
    matrices = np.ones((sessions, assets, assets))
    rows, columns = np.tril_indices(assets, -1)
    for t, path in enumerate(paths):
        matrices[t, rows, columns] = matrices[t, columns, rows] = path
    with interpreted():
        plain = pair_rules.correlated_pairs(matrices, before, 0.70, 0.65)
    for found in (correlated_pairs(matrices, before, 0.70, 0.65), plain):
        expected = before.copy()
        np.testing.assert_array_equal(found[0], expected)
        for t, path in enumerate(paths):
            expected = np.array(
                [v > 0.70 or (was and not v <= 0.65) for v, was in zip(path, expected, strict=True)], np.bool_
            )
            np.testing.assert_array_equal(found[t + 1], expected)
