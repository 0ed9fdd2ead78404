"""Tail risk: the current book through bootstrapped crisis paths."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from trading_lib.backtest.stress.bootstrap_paths import draw_sessions, moves_of, repeated
from trading_lib.backtest.stress.scenarios import HistoricalWindow, StressConfig
from trading_lib.backtest.stress.stress import LIQUIDATION_LEVEL, drawdown_within
from trading_lib.domain.market.prices import FloatArray
from trading_lib.session.inputs import SessionInput
from trading_lib.session.step import EndOfDay, trade_session, trade_sessions
from trading_lib.workflows.data.market import LoadedSource, session_input
from trading_lib.workflows.research.continued_market import WARM_UP_SESSIONS, continued_market
from trading_lib.workflows.setup.settings import Settings

Report = dict[str, Any]


@dataclass(frozen=True, slots=True)
class CrisisPaths:
    """Maximum drawdown and highest level of every path, shape (paths,), or why there are none."""

    drawdowns: FloatArray
    levels: FloatArray
    drawn_from: tuple[str, ...]
    reason: str = ""


def run_crisis_paths(settings: Settings, loaded: LoadedSource, config: StressConfig) -> CrisisPaths:
    """Let made-up crises follow the newest session of the data; all continue the same book."""
    panel = loaded.market.panel
    windows = [s for s in config.scenarios if isinstance(s, HistoricalWindow)]
    usable = np.zeros(len(panel.sessions), dtype=np.bool_)
    drawn_from = []
    for window in windows:
        inside = (panel.sessions >= np.datetime64(window.first)) & (panel.sessions <= np.datetime64(window.last))
        inside[0] = False  # nothing to move from
        if inside.any():
            usable |= inside
            drawn_from.append(window.name)
    row = len(panel.sessions) - 1
    if not drawn_from or row + 1 < WARM_UP_SESSIONS:
        return CrisisPaths(np.empty(0), np.empty(0), (), "the data hold no session of a historical scenario")
    crises = moves_of(loaded.validation.accepted, settings.configuration.universe, panel.sessions)
    drawn = draw_sessions(usable, config.crisis_paths)
    opened = range(max(0, row + 1 - config.lead_sessions), row + 1)
    end_of_day: EndOfDay | None = None
    for outcome in trade_sessions(session_input(settings, loaded.market, "stress"), opened):
        end_of_day = outcome.end_of_day
    drawdowns, levels = np.empty(len(drawn)), np.empty(len(drawn))
    for number, path in enumerate(drawn):
        market, first = continued_market(settings, loaded, row, repeated(crises, path), 0, "crisis path")
        data = session_input(settings, market, "stress")
        drawdowns[number], levels[number] = _continue_book(data, first, end_of_day)
    return CrisisPaths(drawdowns, levels, tuple(drawn_from))


def _continue_book(data: SessionInput, first: int, end_of_day: EndOfDay | None) -> tuple[float, int]:
    values, highest = [float(end_of_day.portfolio.nav)] if end_of_day else [], 0
    for row in range(first, len(data.panel.sessions)):
        outcome = trade_session(data, row, end_of_day)
        end_of_day = outcome.end_of_day
        values.append(float(end_of_day.portfolio.nav))
        highest = max(highest, outcome.decision.assessment.effective_level)
    return drawdown_within(np.array(values)), highest


def paths_report(paths: CrisisPaths, config: StressConfig) -> Report:
    """Lay the paths out for the report."""
    if paths.reason:
        return {"status": "absent", "reason": paths.reason}
    quantiles = config.crisis_paths.quantiles
    values = np.quantile(paths.drawdowns, quantiles)
    return {
        "status": "run",
        "reason": "",
        "paths": config.crisis_paths.paths,
        "sessions": config.crisis_paths.sessions,
        "mean_block": config.crisis_paths.mean_block,
        "seed": config.crisis_paths.seed,
        "drawn_from": list(paths.drawn_from),
        "max_drawdown_quantiles": {f"{q:.0%}": float(v) for q, v in zip(quantiles, values, strict=True)},
        "share_above_limit": float((paths.drawdowns >= config.criteria.max_drawdown).mean()),
        "share_reaching_level_4": float((paths.levels >= LIQUIDATION_LEVEL).mean()),
    }
