"""Features that know the future, offered to a training in every way: its line of refusal, by what was offered."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np

from tests.builders.learning import synthetic_dataset
from tests.builders.price_folder import write_price_folder
from tests.builders.settings import make_settings
from trading_lib.domain.errors import InputError
from trading_lib.domain.market.prices import FloatArray, PricePanel
from trading_lib.learning.dataset import Dataset
from trading_lib.learning.features.leaks import next_returns, refuse_leaks
from trading_lib.learning.features.own import OwnColumns
from trading_lib.learning.labels import forward_labels, known_prices
from trading_lib.workflows.learning.data import training_data

BEGIN, FIRST, LAST = date(2021, 1, 4), date(2022, 2, 1), date(2023, 6, 30)
HORIZON = 21


def shifted(panel: PricePanel) -> FloatArray:
    """Return of a month, of the session after."""
    prices = known_prices(panel)
    month = np.full(prices.shape, np.nan)
    month[HORIZON - 1 : -1] = prices[HORIZON:] / prices[:-HORIZON] - 1.0
    return month


def scaled_by_all_sessions(panel: PricePanel) -> FloatArray:
    """Price less its mean over all sessions, in their standard deviations."""
    prices = known_prices(panel)
    return np.asarray((prices - np.nanmean(prices, axis=0)) / np.nanstd(prices, axis=0))


# Of a dataset, the leaking column of its rows.
OF_ROWS: dict[str, Callable[[Dataset], FloatArray]] = {
    "the label": lambda data: data.y,
    "the return behind it": lambda data: data.forward,
    "its opposite": lambda data: -data.forward,
    "the next session's return": lambda data: next_returns(data)[data.row_session, data.row_symbol],
}
# Of a panel, a leaking column of the user's own.
OWN: dict[str, Callable[[PricePanel], FloatArray]] = {
    "own column: the label": lambda panel: forward_labels(panel, HORIZON).rank,
    "own column: a month's return, shifted by a session": shifted,
    "own column: scaled by all sessions": scaled_by_all_sessions,
}
# The same label from a table of the user's, of which no panel takes the future away.
FROM_ELSEWHERE = "own column from elsewhere: the label"


def leaks_refused() -> dict[str, str]:
    """Line with which each leak is refused; empty where it is not."""
    return {**of_datasets(), **of_own_columns()}


def of_datasets() -> dict[str, str]:
    """Offer each leak as a column of a dataset."""
    data, found = synthetic_dataset(sessions=400, features=8, seed=1), {}
    for name, leak in OF_ROWS.items():
        leaking = replace(data, features=(*data.features, "mine"), x=np.column_stack([data.x, leak(data)]))
        found[name] = _refusal(lambda leaking=leaking: refuse_leaks(leaking))  # type: ignore[misc]
    return found


def of_own_columns() -> dict[str, str]:
    """Offer each leak as a column of the user's own beside the features of a folder of prices."""
    with tempfile.TemporaryDirectory() as folder:
        prices = write_price_folder(Path(folder) / "prices", BEGIN, LAST)
        settings = make_settings("postgresql://nobody/none", Path(folder))

        def offer(own: OwnColumns) -> str:
            return _refusal(lambda: training_data(settings, FIRST, LAST, prices, own=own))

        found = {name: offer(_column(leak)) for name, leak in OWN.items()}
        panel = training_data(settings, FIRST, LAST, prices).panel
        table = forward_labels(panel, HORIZON).rank
        found[FROM_ELSEWHERE] = offer(lambda known: {"mine": table[: len(known.sessions)]})
    return found


def _column(leak: Callable[[PricePanel], FloatArray]) -> OwnColumns:
    return lambda panel: {"mine": leak(panel)}


def _refusal(offer: Callable[[], object]) -> str:
    try:
        offer()
    except InputError as error:
        return str(error)
    return ""
