"""What the overlay sleeve would trade by a champion's scores: its target against what it holds."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np

from trading_lib.strategies.ml_overlay import MlOverlay, equal_weights_of_highest
from trading_lib.strategies.registry import Sleeve, running_sleeves

if TYPE_CHECKING:
    from trading_lib.domain.market.prices import FloatArray
    from trading_lib.workflows.setup.settings import Settings

Result = dict[str, Any]
OFF = "the overlay is off: no sleeve with the strategy ml_overlay has a budget in strategy.yaml"


def overlay_trades(
    settings: Settings, session: date, scores: dict[str, float], book: str | None = None
) -> list[Result]:
    """For each sleeve that follows a model, what it wants, holds and would trade, in shares of net asset value.

    These are the sleeve's own wishes: other sleeves, the constraints, risk control and lots come after it.

    Parameters
    ----------
    scores
        Symbol -> score.
    book
        Whose holdings are compared; without one the sleeve begins in cash.

    Raises
    ------
    InputError
        When there is no such book.
    """
    universe = settings.configuration.universe
    values = np.array([scores.get(symbol, np.nan) for symbol in universe.symbols])
    values[universe.retired] = np.nan
    month_end = bool(settings.calendar.month_ends(np.array([session], dtype="datetime64[D]"))[0])
    found = []
    for sleeve in running_sleeves(settings.configuration.decision.strategy):
        if not isinstance(sleeve.strategy, MlOverlay):
            continue
        config = sleeve.strategy.config
        held, worth = _held(settings, session, sleeve, book)
        wanted = equal_weights_of_highest(values, config.positions) * sleeve.budget
        rows = [
            {
                "symbol": universe.symbols[column],
                "side": "buy" if wanted[column] > held[column] else "sell",
                "held": float(held[column]),
                "wanted": float(wanted[column]),
                "dollars": float(wanted[column] - held[column]) * worth,
            }
            for column in np.flatnonzero(np.abs(wanted - held) > 1e-9)
        ]
        waits = config.monthly and not month_end
        found.append({"sleeve": sleeve.name, "budget": sleeve.budget, "waits_for_month_end": waits, "trades": rows})
    return found


def _held(settings: Settings, session: date, sleeve: Sleeve, book: str | None) -> tuple[FloatArray, float]:
    """Shares of net asset value that the sleeve holds, shape (n,), and that value in dollars."""
    symbols = settings.configuration.universe.symbols
    nothing = np.zeros(len(symbols)), float(settings.configuration.initial_cash)
    if book is None:
        return nothing
    from trading_lib.adapters.stores.books.book_store import BookStore
    from trading_lib.adapters.stores.books.state_store import StateStore
    from trading_lib.workflows.trade.stage_records import sleeves_from

    engine = settings.engine()
    BookStore(engine).book(book)
    state = StateStore(engine)
    decided = state.latest_stage(book, "targets", settings.calendar.next(session))
    portfolio = state.latest_portfolio(book)
    if decided is None or portfolio is None:
        return nothing
    record = sleeves_from(decided[1], symbols).get(sleeve.name)
    share = record.held * record.budget if record is not None else nothing[0]
    return share, float(portfolio.nav)
