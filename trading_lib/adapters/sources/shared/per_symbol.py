"""One request per symbol, each failing on its own. Input: a function that fetches one history. Output: the answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime

import pandas as pd

from trading_lib.adapters.sources.shared.bar_windows import answer_from_history, stamp_bars
from trading_lib.domain.errors import SourceError
from trading_lib.domain.market.instruments import Universe
from trading_lib.domain.market.prices import VOLATILITY_INDEX, Bars
from trading_lib.domain.market.sessions import require_aware
from trading_lib.market_data.source import SourceAnswer

History = Callable[[str], pd.DataFrame]


def bars_per_symbol(
    source: str,
    universe: Universe,
    symbols: Sequence[str],
    first: date,
    last: date,
    as_of: datetime,
    history: History,
    notes: tuple[str, ...] = (),
) -> SourceAnswer:
    """Fetch each symbol with ``history`` and cut out what was asked for.

    Parameters
    ----------
    history
        Symbol -> price rows (the columns of a bar but ``source`` and ``available_at``; may be empty). A `SourceError`
        it raises becomes that symbol's failure and costs no other symbol.
    """
    moment = require_aware(as_of, "as_of")
    pieces: list[pd.DataFrame] = []
    errors: dict[str, SourceError] = {}
    for symbol in dict.fromkeys(symbols):
        try:
            if symbol != VOLATILITY_INDEX and symbol not in universe.symbols:
                raise SourceError(f"{source}: {symbol} is not in the universe", "add it there or leave it out")
            rows = history(symbol)
        except SourceError as error:
            errors[symbol] = error
            continue
        if len(rows):
            pieces.append(rows)
    fetched = Bars.empty()
    if pieces:
        fetched = stamp_bars(pd.concat(pieces, ignore_index=True), universe, source)
    asked = [symbol for symbol in dict.fromkeys(symbols) if symbol not in errors]
    response = answer_from_history(fetched, source, asked, first, last, moment, notes)
    failures = {symbol: str(error) for symbol, error in errors.items()}
    return SourceAnswer(response.bars, {**failures, **response.failures}, notes, errors)
