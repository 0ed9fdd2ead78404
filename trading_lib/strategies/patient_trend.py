"""The trend sleeve for the patient: a signal counts once it has stood for a while.

Technical design 4.3.2 sells at a close below SMA_50 and buys back at one above it. On real prices most of these sells
are over within a week, and both trades cost. Where trading costs, an optimal portfolio follows a signal the less, the
sooner the signal fades (Garleanu and Pedersen 2013, "Dynamic Trading with Predictable Returns and Transaction Costs",
Journal of Finance 68). docs/research.md measures what that is worth.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from trading_lib.domain.market_view import MarketView
from trading_lib.domain.signals import SignalPanel, SignalType
from trading_lib.domain.sleeves import SleeveTarget, SleeveView, Words
from trading_lib.strategies.config import PatientTrendConfig
from trading_lib.strategies.trend import Trend


class PatientTrend:
    """Trend by confirmed signals; until then the holding stays as it is.

    A sell is confirmed by the configured number of sessions with a sell in a row, a buy by as many without one. A
    session without a signal counts for neither. Asset stops and risk levels do not wait.
    """

    def __init__(self, config: PatientTrendConfig, minimum_confidence: float) -> None:
        self._sessions = config.sessions
        self._trend = Trend(config, minimum_confidence)

    def target(self, view: MarketView, sleeve: SleeveView) -> SleeveTarget:
        """Weights of `Trend` where the signals are confirmed."""
        symbols = view.universe.symbols
        runs = {s: self._run(sleeve, s, i) for i, s in enumerate(symbols)}
        confirmed = self._confirmed(sleeve.signals, runs, symbols)
        answer = self._trend.target(view, replace(sleeve, signals=confirmed))
        return replace(
            answer,
            words=lambda: self._words(answer.words(), sleeve.signals, confirmed, runs, symbols),
            memory=runs,
        )

    def _run(self, sleeve: SleeveView, symbol: str, column: int) -> float:
        """Sessions in a row with a sell (negative) or without one, no more of them than count."""
        before = float(sleeve.memory.get(symbol, 0.0))
        if not sleeve.signals.complete[column]:
            return before
        if sleeve.signals.codes[column] < 0:
            return max(min(before, 0.0) - 1.0, -float(self._sessions))
        return min(max(before, 0.0) + 1.0, float(self._sessions))

    def _confirmed(self, signals: SignalPanel, runs: Mapping[str, float], symbols: tuple[str, ...]) -> SignalPanel:
        run = np.array([runs[symbol] for symbol in symbols])
        waiting = ((signals.codes < 0) & (run > -self._sessions)) | ((signals.codes > 0) & (run < self._sessions))
        hold = np.int8(SignalType.HOLD)
        return replace(signals, codes=np.where(waiting, hold, signals.codes).astype(np.int8))

    def _words(
        self,
        words: Words,
        signals: SignalPanel,
        confirmed: SignalPanel,
        runs: Mapping[str, float],
        symbols: tuple[str, ...],
    ) -> Words:
        told = dict(words)
        for i in np.flatnonzero(signals.codes != confirmed.codes):
            symbol, signal = symbols[i], SignalType(int(signals.codes[i]))
            waits = f"{signal.name} waits, session {abs(runs[symbol]):.0f} of {self._sessions}"
            told[symbol] = f"{waits}; {told[symbol]}" if symbol in told else waits
        return told
