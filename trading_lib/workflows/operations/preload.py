"""Preloading of the calendar and machine code in the process from which Airflow forks its tasks.

Nothing here connects to anything or reads prices.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import date

from numba.core import event

from trading_lib.adapters.sources.simulated.source import SimulatedMarket
from trading_lib.decision_config import DecisionConfig
from trading_lib.domain.errors import TradingError
from trading_lib.domain.market.sessions import exchange_sessions
from trading_lib.session.step import trade_sessions
from trading_lib.workflows.data.market import market_from_source, session_input
from trading_lib.workflows.setup.settings import Settings, load_settings

LOG = logging.getLogger(__name__)
# Made-up sessions that call every kernel: a first decision, fills of its orders, and a session that holds them.
LAST, SESSIONS = date(2005, 3, 31), 3


class StillToCompileError(TradingError):
    """A kernel's machine code is not on disk yet."""


class _NothingCompiled(event.Listener):
    def on_start(self, event: event.Event) -> None:
        raise StillToCompileError("a rule is not compiled yet", "the first task that needs it compiles it")

    def on_end(self, event: event.Event) -> None:
        """Nothing has begun."""


def load_machine_code(settings: Settings | None = None) -> bool:
    """Load the machine code of the rules from disk; False, and no harm done, where it has yet to be compiled.

    Compiling takes up to a minute, for which a scheduler must not be away: the first task does it, as ever.
    """
    active = settings or load_settings()
    calendar = exchange_sessions()
    try:
        with event.install_listener("numba:compile", _NothingCompiled()):
            source = SimulatedMarket(active.configuration.universe)
            market = market_from_source(source, active.configuration.universe, calendar, LAST, active.clock()).market
            row = market.row(LAST)
            data = session_input(active, market)
            for _ in trade_sessions(replace(data, config=_ours(data.config)), range(row - SESSIONS + 1, row + 1)):
                pass
    except StillToCompileError as error:
        LOG.info("%s", error)
        return False
    return True


def _ours(config: DecisionConfig) -> DecisionConfig:
    """Leave out strategies of users' own: their code runs when a task runs it, not in Airflow's scheduler."""
    sleeves = tuple(sleeve for sleeve in config.strategy.sleeves if ":" not in sleeve.strategy)
    return config.model_copy(update={"strategy": config.strategy.model_copy(update={"sleeves": sleeves})})
