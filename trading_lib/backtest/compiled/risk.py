"""Risk control of a session in the loop: passes the book's arrays to the one step of `trading_lib.risk`."""

from __future__ import annotations

import numpy as np

from trading_lib.backtest.compiled.book import NAV, Book
from trading_lib.backtest.compiled.inputs import Assets, Rows, Rules
from trading_lib.backtest.compiled.precompute import MarketInputs
from trading_lib.domain.book.holdings import CASH
from trading_lib.domain.kernels import inlined
from trading_lib.domain.market.prices import FloatArray
from trading_lib.domain.market.volatility import portfolio_volatility
from trading_lib.risk.numbers import RiskAssets, RiskHoldings, RiskMarket, RiskMemory
from trading_lib.risk.step import RiskOutcome, step_risk


@inlined
def control_risk(
    book: Book,
    assets: Assets,
    rows: Rows,
    inputs: MarketInputs,
    rules: Rules,
    targets: FloatArray,
    held: FloatArray,
    row: int,
    step: int,
) -> RiskOutcome:
    """Apply risk control to the book's risk state; in the loop nothing is hedged and no approval is pending."""
    memory = RiskMemory(book.counters, book.peaks, book.halved, book.cooling, book.ceilings, book.stop_state)
    holdings = RiskHoldings(
        book.quantity,
        np.zeros(book.quantity.shape[0], np.int64),
        book.mark,
        book.average_cost,
        book.counters[NAV] / 100.0,
        book.account[CASH] < 0,
    )
    market = RiskMarket(
        portfolio_volatility(rows.mark_return[: row + 1], targets, rules.volatility_window),
        inputs.summaries[step, 0],
        inputs.summaries[step, 2],
        inputs.regimes[step],
        inputs.confidence[step],
        rows.fresh[row],
        rows.retired[row],
    )
    universe = RiskAssets(assets.crypto, assets.safe_havens, assets.retired, assets.stops, assets.lots)
    return step_risk(memory, holdings, market, universe, rules.risk, targets, held, 0.0, False)
