"""A run of many assets keeps no matrix of all pairs per session, and comes to the same as one that does."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from tests.builders.markets import ASSETS, backtest_input, market_of, random_bars
from trading_lib.backtest.compiled import run as compiled_run
from trading_lib.backtest.compiled.run import Segment
from trading_lib.backtest.engine import BacktestResult, run_backtest
from trading_lib.domain.market.market_view import SessionViews
from trading_lib.session.inputs import SessionInput

FIRST, LAST = date(2021, 11, 1), date(2022, 12, 30)


@pytest.fixture(scope="module")
def data() -> SessionInput:
    return backtest_input(market_of(random_bars(date(2021, 1, 4), LAST, seed=4)))


def segments(result: BacktestResult) -> list[Segment]:
    return [part for part in result.run.parts if isinstance(part, Segment)]


def test_correlations_that_are_too_many_are_computed_again_to_the_same_run(
    data: SessionInput, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = run_backtest(data, FIRST, LAST)
    assert all(len(part.inputs.correlations) for part in segments(kept))
    monkeypatch.setattr(compiled_run, "KEPT_CORRELATIONS", 0)
    monkeypatch.setattr(compiled_run, "longest_segment", lambda assets, sleeves: 17)
    again = run_backtest(data, FIRST, LAST)
    assert not any(len(part.inputs.correlations) for part in segments(again))
    assert again.nav.tolist() == kept.nav.tolist()
    assert (again.orders, again.fills, again.events) == (kept.orders, kept.fills, kept.events)
    assert any("pair correlation above" in event.reason for event in kept.events)
    for one, other in ((kept.cuts.amount, again.cuts.amount), (kept.cuts.row, again.cuts.row)):
        assert np.array_equal(one, other)


def test_what_is_replayed_of_a_large_run_leaves_no_correlations_behind(
    data: SessionInput, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiled_run, "KEPT_CORRELATIONS", 0)
    views = SessionViews(data.universe, data.panel, data.factors, data.funding)
    result = run_backtest(replace(data, views=views), FIRST, LAST)
    assert any(part.log.has_events.any() for part in segments(result))
    assert result.events
    # Of a view that is forgotten the next look builds another one, to which nothing is remembered.
    replayed = [
        row for part in segments(result) for row in np.flatnonzero(part.log.has_events[part.steps]) + part.first
    ]
    assert not any(views[int(row)].remembered for row in replayed)


def test_memory_of_a_run_does_not_grow_with_sessions_times_pairs(
    data: SessionInput, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compiled_run, "KEPT_CORRELATIONS", 0)
    result = run_backtest(data, FIRST, LAST)
    for part in segments(result):
        sessions = len(part.log.nav)
        arrays = {**part.log._asdict(), **part.inputs._asdict(), "pairs": part.packed_pairs}
        per_session = {
            name: array.nbytes / sessions
            for name, array in arrays.items()
            # Fills and orders have room for all that could be, of which what is not written takes no memory.
            if isinstance(array, np.ndarray) and name not in ("fills", "orders")
        }
        # A matrix of pairs would be 8 n n bytes; the widest array has one row of n numbers for each sleeve.
        assert max(per_session.values()) < 8 * ASSETS * (ASSETS // 2), per_session
