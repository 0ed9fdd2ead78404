"""What session after session of a run shows of the shared rules, on either road: nothing is computed by the rules.

`test_session_rules` asks single moments and states; here every session and asset is held to what was forbidden in it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache

import numpy as np
import pytest

from tests.builders.runs import CRASHES, FIRST, LAST, changed, market, sessions_in_loop, slow_path
from trading_lib.backtest.compiled.run import Segment
from trading_lib.backtest.engine import BacktestResult, run_backtest
from trading_lib.domain.market.correlation import summarise_correlations
from trading_lib.domain.market.market_view import SessionViews
from trading_lib.domain.market.prices import FloatArray, IntegerArray
from trading_lib.risk.limits.buy_restrictions import CONFIDENCE_BIT, COOL_OFF_BIT, SELL_ONLY_BIT, Blocks
from trading_lib.risk.rationale import blocks_of
from trading_lib.session.inputs import SessionInput

ROADS = pytest.mark.parametrize("road", ["in_the_loop", "with_objects"])


@dataclass(frozen=True)
class Seen:
    """What a run shows of each session, first axis; n assets.

    Attributes
    ----------
    blocks
        Shape (S, n): the rules that forbade buying.
    average
        Shape (S,): correlation of all pairs.
    """

    result: BacktestResult
    days: list[date]
    levels: IntegerArray
    blocks: Blocks
    confidence: FloatArray
    average: FloatArray

    def told(self, *kinds: str) -> list[tuple[int, str]]:
        """Places and symbols of the events of these kinds."""
        return [(self.days.index(e.session), e.symbol) for e in self.result.events if e.kind in kinds]


def seen(data: SessionInput, road: str) -> Seen:
    views = SessionViews(data.universe, data.panel, data.factors)
    data = replace(data, views=views)
    result = run_backtest(data, FIRST, LAST) if road == "in_the_loop" else slow_path(data)
    looped = sessions_in_loop(result)
    assert looped > 0.8 * len(result.nav) if road == "in_the_loop" else looped == 0
    rows = []
    for part in result.run.parts:
        if isinstance(part, Segment):
            log, inputs = part.log, part.inputs
            steps = range(part.steps.start, part.steps.stop)
            rows += [(log.levels[k], log.blocks[k], inputs.confidence[k], inputs.summaries[k, 0]) for k in steps]
            continue
        decision, portfolio = part.outcome.decision, part.outcome.end_of_day.portfolio
        blocks = blocks_of(views[part.row], decision.signals, portfolio, decision.assessment)
        average = summarise_correlations(decision.targets.correlations)[0]
        rows.append((decision.assessment.effective_level, blocks, decision.signals.confidence, average))
    columns = (np.array(column) for column in zip(*rows, strict=True))
    return Seen(result, result.sessions.astype(object).tolist(), *columns)


@lru_cache
def stormy(road: str) -> Seen:
    """Stops, levels and every kind of sale."""
    return seen(market(crashes=CRASHES, daily_volatility=0.03), road)


@ROADS
def test_a_stopped_asset_cools_off_for_five_sessions_and_no_more(road: str) -> None:
    run = stormy(road)
    expected = np.zeros(run.blocks.shape, np.bool_)
    stops = run.told("stop_reduce", "stop_exit")
    for k, symbol in stops:
        expected[k : k + 5, run.result.run.data.universe.positions[symbol]] = True
    assert len(stops) > 10
    np.testing.assert_array_equal((run.blocks & COOL_OFF_BIT) != 0, expected)


@ROADS
def test_entering_level_2_reduces_once(road: str) -> None:
    run = stormy(road)
    entries = [k for k in range(1, len(run.levels)) if run.levels[k] >= 2 and run.levels[k] > run.levels[k - 1]]
    stays = int((run.levels[1:] == 2).sum()) - len(entries)
    assert stays > 3
    assert sorted({k for k, _ in run.told("reduction")}) == entries


@ROADS
def test_correlations_put_a_floor_under_the_level_and_buying(road: str) -> None:
    bounds = {"average_floor_1": 0.20, "every_pair_floor_2": 0.99}
    run = seen(changed(market(), risk={"correlation": bounds}), road)
    correlated = run.average > 0.20
    assert 10 < correlated.sum() < len(correlated)
    assert (run.levels[correlated] >= 1).all()
    assert (run.levels == 1).any()
    drawdown = 1.0 - run.result.nav / np.maximum.accumulate(run.result.nav)
    calm = ~correlated & (np.maximum.accumulate(drawdown) < 0.05)
    assert calm.any()
    assert (run.levels[calm] == 0).all()
    # The floor alone asks for the confidence that level 1 asks for.
    unsure = (run.confidence < 0.40) | np.isnan(run.confidence)
    np.testing.assert_array_equal((run.blocks & CONFIDENCE_BIT) != 0, unsure & (run.levels >= 1)[:, np.newaxis])
    assert (unsure & (run.levels >= 1)[:, np.newaxis]).any()
    np.testing.assert_array_equal(((run.blocks & SELL_ONLY_BIT) != 0).all(axis=1), run.levels == 2)
