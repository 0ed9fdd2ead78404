"""How far limits lowered the weights the sleeves wanted, computed from a run's arrays. Output: `WeightCuts`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from trading_lib.backtest.compiled.journal import ORDER_MARK
from trading_lib.backtest.compiled.run import Run, Segment, SlowSession
from trading_lib.decision import held_weights
from trading_lib.domain.book.orders import OrderPurpose
from trading_lib.domain.market.prices import BoolArray, FloatArray
from trading_lib.domain.money import MICRO, from_cents, from_micros, to_micros
from trading_lib.orders.generate import limit_of, sold_weight
from trading_lib.orders.rebalancing import CUT_LIMITS, DUST
from trading_lib.performance.trading.weight_cuts import WeightCuts
from trading_lib.portfolio.constraints import (
    CAP,
    CASH_BUFFER,
    LEVERAGE,
    NOT_TRADABLE,
    PAIR_CAP,
    TotalLimit,
    constraint_cuts,
    constraint_names,
    short_weight,
    total_limit,
)
from trading_lib.risk.levels.levels import recovery_size
from trading_lib.risk.limits.buy_restrictions import (
    AFTER_LADDER,
    AFTER_LEVERAGE,
    BITS,
    LADDER,
    LADDER_LEVERAGE,
    RULES,
    TARGETS,
    traced_limits,
)
from trading_lib.session.inputs import SessionInput

RISK_ORDERS, THRESHOLD, NO_PRICE, OWN_RULES = "risk_orders", "rebalance_threshold", "no_price", "own_rules"
CONSTRAINTS = (NOT_TRADABLE, CAP, PAIR_CAP, CASH_BUFFER, LEVERAGE)
OF_RISK = (LADDER, LADDER_LEVERAGE, *RULES, RISK_ORDERS)
LIMITS = tuple(dict.fromkeys((*CONSTRAINTS, *OF_RISK, THRESHOLD, NO_PRICE, *CUT_LIMITS[1:], OWN_RULES)))
NUMBER = {name: number for number, name in enumerate(LIMITS)}
# Rounding difference between two ways of computing a weight.
ROUNDING = 1e-9


class _Cuts(NamedTuple):
    """The cuts by one limit in c sessions: rows, assets and amounts."""

    limit: str
    row: NDArray[np.int64]
    asset: NDArray[np.int64]
    amount: FloatArray


class _Decided(NamedTuple):
    """Blended, approved and held weights of c sessions, shapes (c, n), and what limits took off them."""

    wanted: FloatArray
    approved: FloatArray
    held: FloatArray
    cuts: Sequence[_Cuts]


def cuts_of(run: Run) -> WeightCuts:
    """Collect all cuts of a run; the loop and the slow path give the same, and neither builds its orders."""
    data, parts, cuts = run.data, [], []
    start = first = _first_row(run)
    for part in run.parts:
        decided = _decided(data, part) if isinstance(part, SlowSession) else _logged(data, part)
        parts.append(decided)
        cuts += [part_cuts._replace(row=part_cuts.row + start - first) for part_cuts in decided.cuts]
        start += len(decided.wanted)
    cuts.append(_risk_orders(run, first))
    row, asset = (np.concatenate([getattr(part_cuts, name) for part_cuts in cuts]) for name in ("row", "asset"))
    limit = np.concatenate([np.full(len(part_cuts.row), NUMBER[part_cuts.limit]) for part_cuts in cuts])
    order = np.lexsort((asset, limit, row))
    blended, approved, held = (
        np.concatenate([getattr(part_cuts, name) for part_cuts in parts]) for name in ("wanted", "approved", "held")
    )
    amount = np.concatenate([part_cuts.amount for part_cuts in cuts])[order]
    return WeightCuts(
        data.universe.symbols, LIMITS, blended, approved, held, row[order], limit[order], asset[order], amount
    )


def _first_row(run: Run) -> int:
    part = run.parts[0]
    return part.row if isinstance(part, SlowSession) else part.first


def _logged(data: SessionInput, part: Segment) -> _Decided:
    """Collect the weights of sessions that the loop traded."""
    steps, log, config = part.steps, part.log, data.config
    held, approved, blended = log.held[steps], log.approved[steps], log.wanted[steps]
    correlations = part.all_correlations(data)
    rows = slice(part.first, part.stop)
    weights, cuts = _constrained(data, rows, blended, held, correlations, total_limit(config.constraints))
    cuts += _by_code(dict(zip(BITS, RULES, strict=False)), _lowest_bits(log.blocks[steps]), weights - approved)
    codes, change = log.cuts[steps], approved - held
    undone = np.abs(change) - _traded(data, part, change.shape)
    cuts += _unsent(data, rows, change)
    cuts += _by_code(dict(enumerate(CUT_LIMITS)), codes, undone)
    return _Decided(blended, approved, held, cuts)


def _decided(data: SessionInput, part: SlowSession) -> _Decided:
    """Collect the weights of a session that the slow path traded."""
    outcome, config, universe = part.outcome, data.config, data.universe
    targets, assessment, batch = outcome.decision.targets, outcome.decision.assessment, outcome.decision.batch
    held = held_weights(universe, outcome.end_of_day.portfolio)
    total = total_limit(config.constraints, short_weight(targets.sleeves))
    rows = slice(part.row, part.row + 1)
    weights, cuts = _constrained(
        data, rows, targets.wanted[np.newaxis], held[np.newaxis], targets.correlations[np.newaxis], total
    )
    cuts += _by_risk(data, part, weights[0], held)
    change = (assessment.weights - held)[np.newaxis]
    traded, at = np.zeros(len(universe)), universe.positions
    for order in batch.orders:
        if order.symbol in at and order.purpose is OrderPurpose.REBALANCE:
            quantity, price = to_micros(order.quantity), to_micros(order.expected_price)
            traded[at[order.symbol]] = quantity / MICRO * (price / MICRO) / float(outcome.end_of_day.portfolio.nav)
    if assessment.effective_level < 4:  # at level 4 only liquidation is ordered
        cuts += _unsent(data, rows, change)
        undone = np.abs(change) - traded
        limits = {symbol: limit_of(reason, config.orders) for symbol, reason in batch.skipped.items()}
        reasons = {at[symbol]: limit for symbol, limit in limits.items() if symbol in at}
        for limit in CUT_LIMITS[1:]:
            mask = np.array([[reasons.get(i) == limit for i in range(len(universe))]])
            cuts.append(_taken(limit, undone, mask))
    return _Decided(targets.wanted[np.newaxis], assessment.weights[np.newaxis], held[np.newaxis], cuts)


def _constrained(
    data: SessionInput,
    rows: slice,
    blended: FloatArray,
    held: FloatArray,
    correlations: FloatArray,
    limit: TotalLimit,
) -> tuple[FloatArray, list[_Cuts]]:
    """Read the cut by each constraint from the trace of the kernel that applies them."""
    fresh, caps = np.ascontiguousarray(data.panel.fresh[rows]), data.universe.max_weights
    pair_limit = data.config.constraints.pair_correlation
    weights, taken = constraint_cuts(blended, held, fresh, caps, correlations, pair_limit, limit.weight)
    return weights, [_taken(name, taken[:, k]) for k, name in enumerate(constraint_names(limit))]


def _by_risk(data: SessionInput, part: SlowSession, targets: FloatArray, held: FloatArray) -> list[_Cuts]:
    """Say what risk control took of a session's targets; a block takes what the re-entry ladder has left."""
    decision, universe = part.outcome.decision, data.universe
    assessment, short = decision.assessment, sum(decision.targets.hedges.values())
    size = recovery_size(assessment.next_state.recovery_sessions, data.config.risk)
    free = np.zeros(len(universe), np.uint16)
    _, trace = traced_limits(targets, held, free, size, assessment.leverage_limit, short)
    allowed = trace[AFTER_LEVERAGE]
    by_ladder, by_leverage = trace[TARGETS] - trace[AFTER_LADDER], trace[AFTER_LADDER] - allowed
    cuts = [_taken(LADDER, by_ladder[np.newaxis]), _taken(LADDER_LEVERAGE, by_leverage[np.newaxis])]
    own, at = np.zeros(len(universe)), universe.positions
    for ceiling in assessment.rule_ceilings:
        own[at[ceiling.symbol]] += ceiling.before - ceiling.weight if ceiling.lowers else 0.0
    left = allowed - own - assessment.weights
    cuts.append(_taken(OWN_RULES, own[np.newaxis]))
    first = {at[s]: next((name for name in names if name in RULES), "") for s, names in assessment.clips.items()}
    for rule in RULES:
        mask = np.array([[first.get(i) == rule for i in range(len(universe))]])
        if mask.any():
            cuts.append(_taken(rule, left[np.newaxis], mask))
    return cuts


def _unsent(data: SessionInput, rows: slice, change: FloatArray) -> list[_Cuts]:
    """Find the changes of weight for which no order was made."""
    size, priced = np.abs(change), np.isfinite(data.panel.close[rows])
    intended, small = size > DUST, size < data.config.orders.rebalance_threshold
    return [_taken(THRESHOLD, size, intended & small), _taken(NO_PRICE, size, intended & ~small & ~priced)]


def _traded(data: SessionInput, part: Segment, shape: tuple[int, ...]) -> FloatArray:
    """Weight that each session's rebalancing orders trade, shape (c, n)."""
    traded = np.zeros(shape)
    row, asset, _, quantity, _ = part.log.orders[part.orders].T
    price = np.rint(data.panel.close[row, asset] * MICRO)
    nav = part.log.nav[row - part.inputs.first]
    traded[row - part.first, asset] = quantity / MICRO * (price / MICRO) / (nav / 100.0)
    return traded


def _risk_orders(run: Run, first: int) -> _Cuts:
    """Sales of risk control, which sell what no target says, as the weight they sell."""
    sales: list[tuple[int, int, float]] = []
    for part in run.parts:
        sales += _sold(run.data, part) if isinstance(part, SlowSession) else _logged_sales(part)
    row, asset, weight = zip(*sales, strict=True) if sales else ((), (), ())
    return _Cuts(RISK_ORDERS, np.array(row, np.int64) - first, np.array(asset, np.int64), np.array(weight, np.float64))


def _sold(data: SessionInput, part: SlowSession) -> Iterator[tuple[int, int, float]]:
    """Row, asset and weight of each accepted sale of a session that was traded with objects and words."""
    at, outcome = data.universe.positions, part.outcome
    for order in (*(order for day in outcome.risk_only for order in day.orders), *outcome.end_of_day.working):
        if order.purpose is OrderPurpose.RISK and order.symbol in at:
            row = int(np.searchsorted(data.panel.sessions, np.datetime64(order.session)))
            yield row, at[order.symbol], -order.weight_change


def _logged_sales(part: Segment) -> Iterator[tuple[int, int, float]]:
    """Return the same of the sessions that the loop traded."""
    orders = part.log.orders[part.orders]
    for row, asset, _, quantity, mark in orders[orders[:, ORDER_MARK] > 0].tolist():
        nav = from_cents(int(part.log.nav[row - part.inputs.first]))
        yield row, asset, sold_weight(quantity, from_micros(mark), nav)


def _taken(limit: str, amounts: FloatArray, mask: BoolArray | None = None) -> _Cuts:
    """Pick the cuts that are more than rounding out of an array of shape (c, n)."""
    cut = amounts > ROUNDING
    row, asset = np.nonzero(cut if mask is None else cut & mask)
    return _Cuts(limit, row, asset, amounts[row, asset])


def _by_code(limits: Mapping[int, str], codes: NDArray[Any], amounts: FloatArray) -> Iterator[_Cuts]:
    """Divide the cuts of an array of shape (c, n) by the code of what made them; 0 is nothing."""
    row, asset = np.nonzero((codes != 0) & (amounts > ROUNDING))
    present = codes[row, asset]
    for code in np.unique(present).tolist():
        mine = present == code
        yield _Cuts(limits[code], row[mine], asset[mine], amounts[row[mine], asset[mine]])


def _lowest_bits(blocks: NDArray[np.uint16]) -> NDArray[np.uint16]:
    """Keep only the first rule of each asset; `RULES` are in the order of their bits."""
    whole = blocks.astype(np.int64)
    return (whole & -whole).astype(np.uint16)
