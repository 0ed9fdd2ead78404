"""Risk control of a session in the loop: hands the book's arrays to the one step of `trading_lib.risk`."""

from __future__ import annotations

import numpy as np

from trading_lib.backtest.compiled.book import NAV, Book
from trading_lib.backtest.compiled.inputs import Assets, Rows, Rules
from trading_lib.backtest.compiled.precompute import Outlook
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
    outlook: Outlook,
    rules: Rules,
    targets: FloatArray,
    held: FloatArray,
    row: int,
    step: int,
) -> RiskOutcome:
    """Take the book's risk state through the session; nothing is hedged or waits for an answer in the loop."""
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
        outlook.summaries[step, 0],
        outlook.summaries[step, 2],
        outlook.regimes[step],
        outlook.confidence[step],
        rows.fresh[row],
        rows.retired[row],
    )
    universe = RiskAssets(assets.crypto, assets.safe_havens, assets.retired, assets.stops, assets.lots)
    return step_risk(memory, holdings, market, universe, rules.risk, targets, held, 0.0, False)
