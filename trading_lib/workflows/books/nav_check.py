"""Net asset value of a backtest compared with vectorbt's, which is given the same fills."""

from __future__ import annotations

from datetime import date
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from trading_lib.backtest.audits.independent_nav import independent_nav
from trading_lib.domain.errors import InputError
from trading_lib.workflows.data.ingest import newest_session
from trading_lib.workflows.data.market import market_from_source, session_input
from trading_lib.workflows.research.audits import YEAR
from trading_lib.workflows.research.backtest import backtest_market
from trading_lib.workflows.setup.settings import Settings
from trading_lib.workflows.setup.source_choice import choose_source, research_source
from trading_lib.workflows.trade.stage_log import logged

# The engine's value is exact to the cent; over 16 years and 3,099 fills of real prices that came to 2.1e-7. A fill
# whose price is wrong by five cents a share is beyond it.
TOLERANCE = 1e-6


@logged("audit")
def check_nav(settings: Settings, data: Path | None, first: date | None, last: date | None) -> dict[str, Any]:
    """Backtest the window and compare its net asset value of every session with vectorbt's.

    Returns
    -------
    Window and fills, both values of the last session in dollars, ``largest_difference`` as a share of the own value,
    the session it is of, and whether it stays within `TOLERANCE` (``agree``).

    Raises
    ------
    InputError
        Where vectorbt is not installed, or perpetuals were traded, whose funding it does not know.
    """
    if find_spec("vectorbt") is None:
        raise InputError("vectorbt is not installed", "install the requirements of this project")
    source, chosen = research_source(data, settings), choose_source(None, data, settings)
    end = last or newest_session(chosen.kind, chosen.folder, settings)
    universe, calendar = settings.configuration.universe, settings.calendar
    market = market_from_source(source, universe, calendar, end, settings.clock()).market
    sessions = market.panel.sessions
    start: date = first or sessions[min(YEAR, len(sessions) // 2)].item()
    if start > end:
        raise InputError(f"the window {start} to {end} is inverted", "swap the two dates")
    run = backtest_market(settings, market, start, end)
    result = run.result
    beyond = sorted({fill.symbol for fill in result.fills} - set(universe.positions))
    if beyond:
        raise InputError(f"vectorbt knows no funding, and {beyond[0]} was traded", "leave carry out of the sleeves")
    other = independent_nav(session_input(settings, market), result)
    difference = np.abs(other / result.nav - 1.0)
    worst = int(difference.argmax())
    return {
        "data_source": run.report["data_source"],
        "from": run.report["from"],
        "to": run.report["to"],
        "fills": len(result.fills),
        "nav": float(result.nav[-1]),
        "independent_nav": float(other[-1]),
        "largest_difference": float(difference[worst]),
        "largest_on": str(result.sessions[worst].astype("datetime64[D]")),
        "agree": bool(difference[worst] <= TOLERANCE),
    }
