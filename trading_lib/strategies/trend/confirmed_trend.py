"""The trend sleeve with confirmation: a signal counts once it has stood for several sessions.

The signals (docs/specification.md#signals) sell at a close below SMA_50 and buy back at one above it. On real prices
most of these sells are over within a week, and both trades cost. Where trading costs, an optimal portfolio follows a
signal the less, the sooner the signal fades (Garleanu and Pedersen 2013, "Dynamic Trading with Predictable Returns and
Transaction Costs", Journal of Finance 68). docs/research/findings.md measures what that is worth.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from trading_lib.domain.decision.signals import SignalPanel, SignalType
from trading_lib.domain.decision.sleeves import Rationale, SleeveTarget, SleeveView
from trading_lib.domain.kernels import compiled
from trading_lib.domain.market.market_view import MarketView
from trading_lib.domain.market.prices import BoolArray, FloatArray
from trading_lib.strategies.config import ConfirmedTrendConfig
from trading_lib.strategies.loop_form import CONFIRMED_SIGNALS, LoopForm
from trading_lib.strategies.trend.trend import Trend


class ConfirmedTrend:
    """Trend by confirmed signals; until then the holding stays as it is.

    A sell is confirmed by the configured number of sessions with a sell in a row, a buy by as many without one. A
    session without a signal counts for neither. Asset stops and risk levels do not wait.
    """

    def __init__(self, config: ConfirmedTrendConfig, minimum_confidence: float) -> None:
        self.config = config
        self.minimum_confidence = minimum_confidence
        self._trend = Trend(config, minimum_confidence)

    def loop_form(self) -> LoopForm:
        """Size as `Trend` does, with confirmed signals; the memory is every asset's run."""
        numbers = self.minimum_confidence, self.config.target_volatility, float(self.config.sessions)
        return LoopForm(CONFIRMED_SIGNALS, numbers, lambda universe: universe.symbols)

    def target(self, view: MarketView, sleeve: SleeveView) -> SleeveTarget:
        """Weights of `Trend` where the signals are confirmed."""
        symbols, signals = view.universe.symbols, sleeve.signals
        before = np.array([float(sleeve.memory.get(symbol, 0.0)) for symbol in symbols])
        codes, after = confirmed_codes(signals.codes, signals.complete, before, self.config.sessions)
        runs, confirmed = dict(zip(symbols, after.tolist(), strict=True)), replace(signals, codes=codes)
        target = self._trend.target(view, replace(sleeve, signals=confirmed))
        return replace(
            target, rationale=lambda: self._words(target.rationale(), signals, confirmed, runs, symbols), memory=runs
        )

    def _words(
        self,
        rationale: Rationale,
        signals: SignalPanel,
        confirmed: SignalPanel,
        runs: Mapping[str, float],
        symbols: tuple[str, ...],
    ) -> Rationale:
        confirmed_rationale = dict(rationale)
        for i in np.flatnonzero(signals.codes != confirmed.codes):
            symbol, signal = symbols[i], SignalType(int(signals.codes[i]))
            waits = f"{signal.name} waits, session {abs(runs[symbol]):.0f} of {self.config.sessions}"
            confirmed_rationale[symbol] = (
                f"{waits}; {confirmed_rationale[symbol]}" if symbol in confirmed_rationale else waits
            )
        return confirmed_rationale


@compiled
def confirmed_codes(
    codes: NDArray[np.int8], complete: BoolArray, runs: FloatArray, sessions: int
) -> tuple[NDArray[np.int8], FloatArray]:
    """Signals of which those that have not stood long enough say HOLD, and the runs after this session; shapes (n,).

    Parameters
    ----------
    complete
        Whether there is a signal at all; a session without one counts for neither.
    runs
        Sessions in a row with a sell (negative) or without one, no more of them than count.
    sessions
        How many of them confirm a signal.
    """
    confirmed, after = codes.copy(), runs.copy()
    for i in range(codes.shape[0]):
        if complete[i] and codes[i] < 0:
            after[i] = max(min(runs[i], 0.0) - 1.0, -float(sessions))
        elif complete[i]:
            after[i] = min(max(runs[i], 0.0) + 1.0, float(sessions))
        if (codes[i] < 0 and after[i] > -sessions) or (codes[i] > 0 and after[i] < sessions):
            confirmed[i] = 0
    return confirmed, after
