"""The signal rules in their order (docs/specification.md#signals).

Input: a `MarketView` and the regime. Output: `SignalPanel`; `describe_signals` adds the reasons afterwards from the
same numbers.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from trading_lib.domain.decision.signals import (
    REGIME_CODES,
    MarketRegime,
    RegimeReading,
    SignalPanel,
    SignalType,
    TradeSignal,
)
from trading_lib.domain.kernels import compiled
from trading_lib.domain.market.market_view import MarketView
from trading_lib.domain.market.prices import BoolArray, FloatArray
from trading_lib.strategies.config import SignalConfig

# Momentum over 60 bars is compared with the volatility of the same span.
MOMENTUM_BARS = 60.0
# STRONG_BUY asks for ^VIX below 30, the bound of HIGH_VOL.
HIGH_VOL, EXTREME = REGIME_CODES[MarketRegime.HIGH_VOL], REGIME_CODES[MarketRegime.EXTREME]


def generate_signals(view: MarketView, regime: RegimeReading, config: SignalConfig) -> SignalPanel:
    """Apply the rules to every asset.

    An asset with a missing factor gets HOLD with confidence 0. At HIGH_VOL confidence halves; at EXTREME buys
    become HOLD (docs/specification.md#market-regime).
    """
    factors = view.factors
    codes, confidence, complete = signal_rules(
        view.total_return_close,
        factors["Momentum_60"],
        factors["Volatility_60"],
        factors["SMA_20"],
        factors["SMA_50"],
        factors["SMA_200"],
        view.universe.periods_per_year,
        REGIME_CODES[regime.regime] < HIGH_VOL,
        config.momentum_high,
        config.momentum_low,
        config.momentum_negative,
        config.momentum_negative_high,
    )
    filtered, confidence = after_regime(codes, confidence, REGIME_CODES[regime.regime])
    return SignalPanel(filtered, codes, confidence, complete)


@compiled
def after_regime(codes: NDArray[np.int8], confidence: FloatArray, regime: int) -> tuple[NDArray[np.int8], FloatArray]:
    """Codes and confidence after the regime filter, new arrays."""
    heard, kept = codes.copy(), confidence.copy()
    for i in range(codes.shape[0]):
        if regime == HIGH_VOL:
            kept[i] *= 0.5
        elif regime == EXTREME and heard[i] > 0:
            heard[i] = 0
    return heard, kept


@compiled
def signal_rules(
    close: FloatArray,
    momentum: FloatArray,
    volatility: FloatArray,
    sma_20: FloatArray,
    sma_50: FloatArray,
    sma_200: FloatArray,
    periods_per_year: FloatArray,
    calm: bool,
    high: float,
    low: float,
    negative: float,
    negative_high: float,
) -> tuple[NDArray[np.int8], FloatArray, BoolArray]:
    """Codes and confidence before the regime filter, and whether every factor is known; kernel."""
    assets = close.shape[0]
    codes = np.zeros(assets, np.int8)
    confidence = np.zeros(assets)
    complete = np.zeros(assets, np.bool_)
    for i in range(assets):
        total = close[i] + momentum[i] + volatility[i] + sma_20[i] + sma_50[i] + sma_200[i]
        if not np.isfinite(total):
            continue
        complete[i] = True
        # Reduction wins where rules overlap.
        if momentum[i] < negative_high and close[i] < sma_200[i]:
            codes[i] = -2
        elif momentum[i] < negative or close[i] < sma_50[i]:
            codes[i] = -1
        elif momentum[i] > high and close[i] > sma_50[i] and close[i] > sma_200[i] and calm:
            codes[i] = 2
        elif momentum[i] > low and close[i] > sma_20[i]:
            codes[i] = 1
        # 1 - exp(-x) with x = |momentum| in standard deviations of 60 bars: monotone, 0 at 0, below 1.
        deviation = volatility[i] * np.sqrt(MOMENTUM_BARS / periods_per_year[i])
        if deviation > 0.0:
            confidence[i] = 1.0 - np.exp(-abs(momentum[i]) / deviation)
        elif momentum[i] != 0.0:
            confidence[i] = 1.0
    return codes, confidence, complete


def describe_signals(
    view: MarketView,
    regime: RegimeReading,
    signals: SignalPanel,
    target_weights: FloatArray,
    config: SignalConfig,
) -> tuple[TradeSignal, ...]:
    """Return every signal with its reason and the numbers the rule used (prices in raw dollars)."""
    return tuple(
        TradeSignal(
            symbol=symbol,
            session=view.session,
            signal=SignalType(int(signals.codes[i])),
            confidence=float(signals.confidence[i]),
            target_weight=float(target_weights[i]),
            regime=regime.regime,
            reason=_reason(view, regime, signals, i, config),
        )
        for i, symbol in enumerate(view.universe.symbols)
    )


def _reason(view: MarketView, regime: RegimeReading, signals: SignalPanel, i: int, config: SignalConfig) -> str:
    if not signals.complete[i]:
        if not view.fresh[i]:
            return "no new bar this session: no signal"
        missing = [name for name in ("Momentum_60", "SMA_200") if not np.isfinite(view.factors[name][i])]
        return f"history too short for {' and '.join(missing) or 'the factors'}: no signal"
    momentum = float(view.factors["Momentum_60"][i])
    dollars = {name: float(view.factors[name][i] / view.price_factor[i]) for name in ("SMA_20", "SMA_50", "SMA_200")}
    price = float(view.close[i])
    text = _rule_words(SignalType(int(signals.unfiltered_codes[i])), momentum, price, dollars, config)
    if regime.regime is MarketRegime.EXTREME and signals.unfiltered_codes[i] > 0:
        text += f"; ^VIX {regime.volatility_index:.1f} is extreme, so no buying"
    elif regime.regime is MarketRegime.HIGH_VOL:
        text += "; high volatility halves the confidence"
    return text


def _rule_words(
    signal: SignalType, momentum: float, price: float, averages: dict[str, float], config: SignalConfig
) -> str:
    moved = f"60-day momentum {momentum:+.1%}"

    def against(name: str) -> str:
        return f"price {price:.2f} {'>' if price > averages[name] else '<='} {name} {averages[name]:.2f}"

    if signal is SignalType.STRONG_SELL:
        return f"{moved} < {config.momentum_negative_high:.0%} and {against('SMA_200')}"
    if signal is SignalType.SELL:
        if momentum < config.momentum_negative:
            return f"{moved} < {config.momentum_negative:.0%}"
        return f"{against('SMA_50')} ({moved})"
    if signal is SignalType.STRONG_BUY:
        return f"{moved} > {config.momentum_high:.0%}, {against('SMA_50')} and {against('SMA_200')}"
    if signal is SignalType.BUY:
        return f"{moved} > {config.momentum_low:.0%} and {against('SMA_20')}"
    return f"no rule applies: {moved}, {against('SMA_20')}"
