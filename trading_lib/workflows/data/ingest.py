"""The newest session of a source."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np

from trading_lib.domain.errors import DataFileError
from trading_lib.domain.market.instruments import TradingCalendar
from trading_lib.domain.market.sessions import FIRST_SESSION
from trading_lib.workflows.setup.settings import Settings
from trading_lib.workflows.setup.source_choice import offline_source


def newest_session(kind: str, data: Path | None, settings: Settings) -> date:
    """Return the newest session a source can be decided on: the last one with an exchange bar.

    Raises
    ------
    DataFileError
        When the folder has no price of any exchange session.
    """
    now, calendar = settings.clock(), settings.calendar
    newest = calendar.latest_decidable(now)
    if data is None:
        return newest
    universe = settings.configuration.universe
    exchange = [i.symbol for i in universe if i.calendar is TradingCalendar.XNYS]
    source = offline_source(kind, data, settings)
    frame = source.bars(exchange, FIRST_SESSION, newest, now).bars.frame
    dates = frame["date"].to_numpy().astype("datetime64[D]")
    covered = np.intersect1d(dates, calendar.between(FIRST_SESSION, newest))
    if not len(covered):
        raise DataFileError(f"{data} holds no prices of any exchange session", "choose another folder")
    last: date = covered[-1].item()
    return last
