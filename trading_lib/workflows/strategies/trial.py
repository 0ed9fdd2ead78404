"""One strategy alone, session by session on the simulated market: what a test of a user's own strategy looks at."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from trading_lib.domain.market.prices import FloatArray
from trading_lib.session.step import trade_sessions
from trading_lib.session.window import window_rows
from trading_lib.workflows.data.market import market_from_source, session_input
from trading_lib.workflows.setup.settings import load_settings
from trading_lib.workflows.setup.source_choice import SIMULATED, offline_source

NAME = "trial"
SLEEVES_VARIABLE = "TRADING_STRATEGY__SLEEVES"


@dataclass(frozen=True, slots=True)
class StrategyDecision:
    """What a strategy answered in a session.

    Attributes
    ----------
    weights
        Shape (n,), in the order of ``symbols``: shares of its capital.
    reasons
        Symbol -> why; "" speaks about all of it.
    fault
        What was wrong with its answer, "" where nothing was.
    """

    session: date
    symbols: tuple[str, ...]
    weights: FloatArray
    reasons: Mapping[str, str]
    fault: str


def sleeve_variable(name: str, reference: str, budget: float = 1.0, options: Mapping[str, Any] | None = None) -> str:
    """Return the value of TRADING_STRATEGY__SLEEVES that runs one strategy and no other."""
    sleeve = {"strategy": reference, "budget": budget} | ({"options": dict(options)} if options else {})
    return json.dumps({name: sleeve})


def try_strategy(
    reference: str, first: date, last: date, options: Mapping[str, Any] | None = None
) -> tuple[StrategyDecision, ...]:
    """Let one strategy decide alone from ``first`` to ``last``; the prices end with ``last``.

    Parameters
    ----------
    reference
        ``file.py:Class``, the file by its whole path or below include/strategies, or ``package.module:Class``.
    options
        Keyword arguments of the class.

    Raises
    ------
    ConfigurationError
        When the class cannot be loaded or created.
    """
    settings = load_settings({**os.environ, SLEEVES_VARIABLE: sleeve_variable(NAME, reference, options=options)})
    source = offline_source(SIMULATED, None, settings)
    universe = settings.configuration.universe
    market = market_from_source(source, universe, settings.calendar, last, settings.clock()).market
    data = session_input(settings, market)
    decisions = []
    for outcome in trade_sessions(data, window_rows(data.panel, data.calendar, first, last)):
        target = outcome.decision.targets.sleeves[NAME].target
        rationale = dict(target.rationale())
        decisions.append(StrategyDecision(outcome.session, universe.symbols, target.weights, rationale, target.fault))
    return tuple(decisions)
