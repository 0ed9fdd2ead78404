"""Positions at old prices, as stages, summaries and backtest reports list them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from trading_lib.accounting.old_prices import OldPrice, old_prices
from trading_lib.accounting.proceeds import closing_record
from trading_lib.domain.book.orders import Cancellation, Fill
from trading_lib.domain.book.portfolio import Portfolio
from trading_lib.domain.book.proceeds import RECORDED
from trading_lib.risk.limits.retirement import retired_symbols
from trading_lib.session.inputs import SessionInput
from trading_lib.workflows.stages.results import OldPriceLines

if TYPE_CHECKING:
    from trading_lib.workflows.trade.book_run import BookRun


def of_session(run: BookRun, portfolio: Portfolio) -> tuple[OldPrice, ...]:
    """Return the holdings of a book that the run's session brought no new price for."""
    return _at(run.input, portfolio, run.market.row(run.session))


def stage_result(run: BookRun, portfolio: Portfolio) -> OldPriceLines:
    """Say in a stage's result which holdings are at old prices, and what proceeds closed."""
    # A backtest, which reports with this module, reaches no store of a book.
    from trading_lib.workflows.books.proceeds import closings_of

    lines = [position.describe() for position in of_session(run, portfolio)]
    closed = [position["message"] for position in closings_of(run.state, run.book.name, run.session)]
    result: OldPriceLines = {}
    if lines:
        result["old_prices"] = lines
    if closed:
        result["closings"] = closed
    return result


def stage_record(run: BookRun, portfolio: Portfolio) -> dict[str, Any]:
    """Return the same for the decision's record; empty where every holding has a new price."""
    records = [position.as_record() for position in of_session(run, portfolio)]
    return {"old_prices": records} if records else {}


def report_of(
    data: SessionInput, portfolio: Portfolio, fills: Sequence[Fill], cancelled: Callable[[], Sequence[Cancellation]]
) -> dict[str, Any]:
    """Say what a backtest ends with at old prices and what proceeds closed in it: records, and lines as notes.

    Parameters
    ----------
    portfolio
        At the backtest's end.
    cancelled
        Gives what its openings did not fill; asked only where a holding is at an old price.
    """
    positions = _at(data, portfolio, int(data.panel.sessions.searchsorted(np.datetime64(portfolio.session))))
    counts = Counter(position.symbol for position in cancelled()) if positions else Counter()
    closed = [closing_record(fill) for fill in fills if fill.broker == RECORDED]
    return {
        "old_prices": [position.as_record() | {"cancelled_orders": counts[position.symbol]} for position in positions],
        "closings": closed,
        "notes": [
            *(position.describe() + _cancelled(counts[position.symbol]) for position in positions),
            *(c["message"] for c in closed),
        ],
    }


def _cancelled(count: int) -> str:
    return f"; {count} order{'s' * (count != 1)} of it found no price and expired" if count else ""


def _at(data: SessionInput, portfolio: Portfolio, row: int) -> tuple[OldPrice, ...]:
    panel = data.panel
    age = panel.price_age[row]
    retired = retired_symbols(age, data.universe, data.config.risk)
    return old_prices(portfolio, data.universe.symbols, panel.price_day[row], age, retired)
