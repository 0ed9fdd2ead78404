"""Weighting: how capital is shared among the selected assets. Input: a `MarketView` and the assets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from trading_lib.domain.errors import OptimisationError
from trading_lib.domain.market.market_view import MarketView
from trading_lib.domain.market.prices import FloatArray
from trading_lib.strategies.config import RiskMeasure, RotationConfig
from trading_lib.strategies.weighting.constrained_risk_parity import constrained_risk_parity
from trading_lib.strategies.weighting.return_sample import ReturnSample, sample_returns
from trading_lib.strategies.weighting.risk_parity import equal_risk_contributions, inverse_volatility


@dataclass(frozen=True, slots=True)
class Shares:
    """Shares of the capital that is to be invested.

    Attributes
    ----------
    columns, shares
        Shape (k,): assets and their shares, none negative, together at most 1.
    method
        The method, as text.
    left_out
        Asset -> why it gets nothing.
    failure
        Why the intended method was replaced by ``method``; "" when it was not.
    """

    columns: NDArray[np.int64]
    shares: FloatArray
    method: str
    left_out: Mapping[int, str] = field(default_factory=dict)
    failure: str = ""


class Weighting(Protocol):
    """Shares capital among the selected assets."""

    def share(self, view: MarketView, columns: NDArray[np.int64]) -> Shares:
        """Weigh ``columns``, shape (m,), at least one; fewer may come back, none when no risk is known."""
        ...


class EqualWeights:
    """The same share for each asset."""

    def share(self, view: MarketView, columns: NDArray[np.int64]) -> Shares:
        """Weigh ``columns``."""
        return Shares(columns, np.full(len(columns), 1.0 / len(columns)), "equal weight")


class RiskParity:
    """Equal contributions to the configured risk measure; inverse volatility where the solver fails."""

    def __init__(self, config: RotationConfig) -> None:
        self._config = config

    def share(self, view: MarketView, columns: NDArray[np.int64]) -> Shares:
        """Weigh ``columns``; those without enough returns, or without variance, are left out."""
        config = self._config
        sample = sample_returns(view, columns, config.covariance_window, config.minimum_coverage)
        if not len(sample.columns):
            return Shares(sample.columns, np.empty(0), "nothing to weigh", sample.left_out)
        try:
            shares = self._optimise(sample)
        except OptimisationError as error:
            # Under a cap the part that doesn't fit stays cash: sharing it out would be another optimisation.
            spare = np.minimum(inverse_volatility(sample.covariance), config.asset_cap)
            return Shares(sample.columns, spare, "inverse volatility", sample.left_out, error.problem)
        return Shares(sample.columns, shares, self._method(), sample.left_out)

    def _optimise(self, sample: ReturnSample) -> FloatArray:
        config = self._config
        if config.risk_measure is RiskMeasure.VARIANCE and config.asset_cap == 1.0:
            return equal_risk_contributions(sample.covariance)
        return constrained_risk_parity(
            sample.returns, sample.covariance, config.risk_measure, config.asset_cap, config.tail
        )

    def _method(self) -> str:
        measure, cap = self._config.risk_measure, self._config.asset_cap
        name = "risk parity" if measure is RiskMeasure.VARIANCE else f"risk parity of {measure.value}"
        return name if cap == 1.0 else f"{name} with at most {cap:.0%} each"
