"""The trend sleeve: signals sized to each asset's volatility target."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from trading_lib.domain.decision.signals import SignalPanel, SignalType
from trading_lib.domain.decision.sleeves import Rationale, SleeveTarget, SleeveView
from trading_lib.domain.kernels import compiled
from trading_lib.domain.market.market_view import MarketView
from trading_lib.domain.market.prices import FloatArray
from trading_lib.domain.market.volatility import portfolio_volatility
from trading_lib.strategies.config import TrendConfig
from trading_lib.strategies.loop_form import SIGNALS, LoopForm

# Sessions of returns for the sleeve's own volatility, the window of Volatility_60.
VOLATILITY_WINDOW = 60


class Trend:
    """Signals with volatility targeting: buys what rises, keeps what holds, leaves what falls.

    See docs/specification.md#trend.
    """

    def __init__(self, config: TrendConfig, minimum_confidence: float) -> None:
        self.config = config
        self.minimum_confidence = minimum_confidence

    def loop_form(self) -> LoopForm:
        """Size by the signals, with the minimum confidence and the target volatility."""
        return LoopForm(SIGNALS, (self.minimum_confidence, self.config.target_volatility))

    def target(self, view: MarketView, sleeve: SleeveView) -> SleeveTarget:
        """Weights of the session; see `trend_weights`."""
        weights = trend_weights(view, sleeve.signals, sleeve.held, self.minimum_confidence, self.config)
        return SleeveTarget(weights, partial(self._words, view, sleeve.signals, weights))

    def _words(self, view: MarketView, signals: SignalPanel, weights: FloatArray) -> Rationale:
        rationale = {}
        for i, symbol in enumerate(view.universe.symbols):
            signal, confidence = SignalType(int(signals.codes[i])), signals.confidence[i]
            if signal > 0 and confidence >= self.minimum_confidence:
                volatility, target = view.factors["Volatility_60"][i], view.universe.volatility_targets[i]
                rationale[symbol] = (
                    f"{signal.name}: cap {view.universe.max_weights[i]:.0%} x confidence {confidence:.2f} x "
                    f"min(1, volatility target {target:.1%} / volatility {volatility:.1%}) -> {weights[i]:.1%}"
                )
            elif weights[i] > 0:
                rationale[symbol] = f"{signal.name} keeps what is held: {weights[i]:.1%}"
        return rationale


def trend_weights(
    view: MarketView,
    signals: SignalPanel,
    held_weights: FloatArray,
    minimum_confidence: float,
    config: TrendConfig,
) -> FloatArray:
    """Weights the trend rules want, as shares of the sleeve, shape (n,), none negative.

    A buy gets ``max_weight * min(1, volatility target / volatility) * confidence``; HOLD keeps what is held; sells
    go to 0. A buy below ``minimum_confidence`` counts as HOLD. Then all weights are scaled down together where the
    sleeve's volatility over the last 60 sessions would exceed its target, or their sum its capital.

    Parameters
    ----------
    held_weights
        Shape (n,): the present weights.
    """
    return sized_weights(
        signals.codes,
        signals.confidence,
        view.factors["Volatility_60"],
        held_weights,
        view.universe.max_weights,
        view.universe.volatility_targets,
        minimum_confidence,
        view.mark_returns,
        config.target_volatility,
    )


@compiled
def _size(
    codes: NDArray[np.int8],
    confidence: FloatArray,
    volatility: FloatArray,
    held: FloatArray,
    caps: FloatArray,
    targets: FloatArray,
    minimum_confidence: float,
) -> FloatArray:
    weights = np.zeros(codes.shape[0])
    for i in range(codes.shape[0]):
        if codes[i] < 0:
            continue
        if codes[i] == 0 or confidence[i] < minimum_confidence:
            weights[i] = max(held[i], 0.0)
            continue
        scale = 1.0
        if volatility[i] > targets[i]:
            scale = targets[i] / volatility[i]
        weights[i] = caps[i] * scale * confidence[i]
    return weights


@compiled
def sized_weights(
    codes: NDArray[np.int8],
    confidence: FloatArray,
    volatility: FloatArray,
    held: FloatArray,
    caps: FloatArray,
    targets: FloatArray,
    minimum_confidence: float,
    returns: FloatArray,
    target_volatility: float,
) -> FloatArray:
    """Kernel of `trend_weights`; returns have shape (rows, n), newest last."""
    weights = _size(codes, confidence, volatility, held, caps, targets, minimum_confidence)
    volatility_now = portfolio_volatility(returns, weights, VOLATILITY_WINDOW)
    if volatility_now > target_volatility:
        weights *= target_volatility / volatility_now
    total = 0.0
    for weight in weights:
        total += weight
    # Otherwise it would spend the capital of other sleeves.
    if total > 1.0:
        weights /= total
    return weights
