"""Configuration of regime, signals and the trend sleeve."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from trading_lib.domain.configuration import Configuration


class RegimeConfig(Configuration):
    """Lower bounds (inclusive) of the volatility regimes, in ^VIX points."""

    elevated: float = Field(20.0, gt=0)
    high: float = Field(30.0, gt=0)
    extreme: float = Field(40.0, gt=0)
    max_age_sessions: int = Field(3, ge=0)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.elevated < self.high < self.extreme:
            raise ValueError("the bounds must rise: elevated < high < extreme")
        return self


class SignalConfig(Configuration):
    """Momentum thresholds as fractions, and the confidence a buy needs."""

    momentum_high: float = 0.10
    momentum_low: float = 0.02
    momentum_negative: float = -0.02
    momentum_negative_high: float = -0.10
    minimum_confidence: float = Field(0.20, ge=0, le=1)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.momentum_negative_high < self.momentum_negative < self.momentum_low < self.momentum_high:
            raise ValueError(
                "the thresholds must rise: momentum_negative_high < momentum_negative < momentum_low < momentum_high"
            )
        return self


class TrendConfig(Configuration):
    """Volatility targeting of the trend sleeve."""

    target_volatility: float = Field(0.15, gt=0, le=1)


class SleeveBudgets(Configuration):
    """Share of the investable capital each sleeve gets."""

    trend: float = Field(1.0, ge=0, le=1)
