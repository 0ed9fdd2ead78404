"""Configuration of regime, signals and sleeves."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator

from trading_lib.domain.configuration import Configuration, Options
from trading_lib.domain.market.perpetuals import FundingWindows, PerpetualContract


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


class ConfirmedTrendConfig(TrendConfig):
    """The trend sleeve by confirmed signals; `patient_trend` in configuration.

    Attributes
    ----------
    sessions
        How long a signal must have stood: a trading week, as long as the cool-off of a stop.
    """

    sessions: int = Field(5, ge=1)


class RiskMeasure(StrEnum):
    """What risk parity equalises the contributions to, by the names riskfolio-lib uses."""

    VARIANCE = "MV"
    MEAN_ABSOLUTE_DEVIATION = "MAD"
    SEMI_DEVIATION = "MSV"
    CONDITIONAL_VALUE_AT_RISK = "CVaR"
    ENTROPIC_VALUE_AT_RISK = "EVaR"
    CONDITIONAL_DRAWDOWN_AT_RISK = "CDaR"
    ULCER_INDEX = "UCI"


class MomentumConfig(Configuration):
    """Monthly ranking by 12-1 momentum and the bounds on a month's trading.

    See docs/specification.md#cross-sectional-momentum.

    Attributes
    ----------
    top_share, bottom_share
        Shares of the ranked assets that are bought and sold; those between keep what they have.
    defence_share
        Defence begins when more than this share of the top group closed below its SMA_200.
    defence_symbols
        What is held then.
    monthly_turnover, monthly_cost
        Bounds as fractions of the sleeve's capital; turnover is half of what is traded.
    """

    top_share: float = Field(0.30, gt=0, lt=1)
    bottom_share: float = Field(0.30, ge=0, lt=1)
    defence_share: float = Field(0.50, ge=0, le=1)
    defence_symbols: tuple[str, ...] = ("GLD", "TLT")
    monthly_turnover: float = Field(0.40, gt=0)
    monthly_cost: float = Field(0.002, gt=0)

    @model_validator(mode="after")
    def _groups_apart(self) -> Self:
        if self.top_share + self.bottom_share > 1.0:
            raise ValueError("top_share and bottom_share overlap: together they must be at most 1")
        if len(set(self.defence_symbols)) < len(self.defence_symbols):
            raise ValueError(f"defence_symbols names an asset twice: {', '.join(self.defence_symbols)}")
        return self


class RotationConfig(MomentumConfig):
    """Momentum with risk parity on the selected assets (docs/specification.md#rotation).

    Attributes
    ----------
    risk_measure
        MV (variance) has a kernel of its own; all others are solved by riskfolio-lib.
    covariance_window
        Sessions of returns behind the risk: half a year is long enough for a dozen assets and short enough to follow
        a change of regime within a few rebalances.
    minimum_coverage
        Share of those sessions an asset must have a return of.
    asset_cap
        Largest share of the selected assets' capital for one of them, inside the optimisation; 1 means none.
    tail
        Share of the worst outcomes that CVaR, EVaR and CDaR look at.
    """

    risk_measure: RiskMeasure = RiskMeasure.VARIANCE
    covariance_window: int = Field(126, ge=20)
    minimum_coverage: float = Field(0.80, gt=0, le=1)
    asset_cap: float = Field(1.0, gt=0, le=1)
    tail: float = Field(0.05, gt=0, lt=0.5)


class CarryConfig(Configuration):
    """Funding carry: spot long and perpetual short of equal quantity (docs/specification.md#carry).

    Attributes
    ----------
    allowed_venues
        Exchanges whose perpetuals the account may trade, as funding rates spell them. Empty: the sleeve is off, as it
        must be for a United States account.
    spot, perpetual
        The asset that is held, and the future that is sold short, by base and quote.
    entry_rate, exit_rate
        Per 8 hours: above the one a position is opened, below the other it is closed, between them nothing changes.
    pause_ratio
        No position is opened or enlarged while the rate's recent volatility is more than this many times that of its
        own history.
    max_weight, max_venue_weight
        Largest notional of the short legs, in all and per venue, as shares of net asset value.
    entry_share
        Share of the largest notional a position is opened with, and brought back to once it has grown beyond it: the
        rest is room for the price to rise.
    margin
        Cash the sleeve keeps back as margin, as a share of the short leg's notional.
    missing_hours
        A position is closed when no usable rate has been seen for so long.
    commission_rate, slippage_rate, basis_cost
        Costs of the perpetual leg as fractions of traded notional; see `PerpetualContract`.
    recent_days, history_days, minimum_days, stale_intervals
        See `FundingWindows`.
    """

    allowed_venues: tuple[str, ...] = ()
    spot: str = "BTC-USD"
    perpetual: str = Field("BTC-USDT", pattern=r"^[A-Z0-9]+-[A-Z0-9]+$")
    entry_rate: float = 0.0001
    exit_rate: float = -0.0001
    pause_ratio: float = Field(3.0, gt=0)
    max_weight: float = Field(0.10, gt=0, le=1)
    max_venue_weight: float = Field(0.08, gt=0, le=1)
    entry_share: float = Field(0.75, gt=0, le=1)
    margin: float = Field(1.0, ge=0)
    missing_hours: float = Field(72.0, gt=0)
    commission_rate: Decimal = Field(Decimal("0.001"), ge=0, lt=1, decimal_places=6)
    slippage_rate: Decimal = Field(Decimal("0.0015"), ge=0, lt=1, decimal_places=6)
    basis_cost: Decimal = Field(Decimal("0.0005"), ge=0, lt=1, decimal_places=6)
    recent_days: float = Field(7.0, gt=0)
    history_days: float = Field(90.0, gt=0)
    minimum_days: float = Field(30.0, gt=0)
    stale_intervals: float = Field(2.0, gt=0)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.exit_rate >= self.entry_rate:
            raise ValueError("exit_rate must be below entry_rate, or a position would be closed as it is opened")
        if self.minimum_days > self.history_days:
            raise ValueError("minimum_days must not exceed history_days, or the history never suffices")
        wrong = [venue for venue in self.allowed_venues if not venue.isalnum() or venue != venue.lower()]
        if wrong:
            raise ValueError(f"allowed_venues {', '.join(map(repr, wrong))}: write an exchange as 'binance'")
        if len(set(self.allowed_venues)) < len(self.allowed_venues):
            raise ValueError(f"allowed_venues names an exchange twice: {', '.join(self.allowed_venues)}")
        return self

    @property
    def contract(self) -> PerpetualContract:
        """The perpetual that hedges, for the universe."""
        windows = FundingWindows(self.recent_days, self.history_days, self.minimum_days, self.stale_intervals)
        costs = (self.commission_rate, self.slippage_rate, self.basis_cost)
        return PerpetualContract(self.perpetual, self.spot, self.allowed_venues, *costs, windows)

    def with_options(self, options: Mapping[str, Any]) -> CarryConfig:
        """Return the section with a sleeve's options; what belongs to the account is set in the section only."""
        changed = CarryConfig.model_validate({**self.model_dump(), **options})
        if changed.contract != self.contract:
            raise ValueError("venues, contract, its costs and windows belong into the section carry, not into options")
        return changed


class MlOverlayConfig(Configuration):
    """The overlay sleeve, which holds what the champion model scores highest; `ml_overlay` in configuration.

    Attributes
    ----------
    positions
        How many of the highest scores are held, in equal weights.
    monthly
        Rebalance at a month's last session only; otherwise at every one.
    oldest_scores
        Sessions that the newest scores may be old, so that a missed prediction sells nothing.
    """

    positions: int = Field(5, ge=1)
    monthly: bool = True
    oldest_scores: int = Field(5, ge=0)


class SleeveConfig(Configuration):
    """One sleeve: which strategy runs it, on what share of the investable capital, with which options.

    Attributes
    ----------
    strategy
        A registered name, ``file.py:Class`` in include/strategies, or ``package.module:Class``.
    options
        Pairs of name and value that override the strategy's section, or become a user's class's keyword arguments.
    """

    name: str = Field(min_length=1, pattern=r"^[a-z][a-z0-9_]*$")
    strategy: str = Field(min_length=1)
    budget: float = Field(ge=0, le=1)
    options: Options = ()


def _listed(given: Any) -> Any:
    """Turn ``trend: 0.5`` and ``mine: {strategy: ..., budget: 0.2}`` into one entry each, with its name."""
    if not isinstance(given, Mapping):
        return given
    return tuple(
        {"name": name, "strategy": name, **value}
        if isinstance(value, Mapping)
        else {"name": name, "strategy": name, "budget": value}
        for name, value in given.items()
    )


class StrategySettings(Configuration):
    """Configuration of signals and sleeves.

    Attributes
    ----------
    decision_seconds
        How long a user's own strategy may take over one session; then it keeps its previous target.
    """

    regime: RegimeConfig = RegimeConfig()
    signals: SignalConfig = SignalConfig()
    sleeves: Annotated[tuple[SleeveConfig, ...], BeforeValidator(_listed)] = (
        SleeveConfig(name="trend", strategy="trend", budget=0.5),
        SleeveConfig(name="rotation", strategy="rotation", budget=0.5),
        SleeveConfig(name="carry", strategy="carry", budget=0.0),
        SleeveConfig(name="ml_overlay", strategy="ml_overlay", budget=0.0),
    )
    trend: TrendConfig = TrendConfig()
    patient_trend: ConfirmedTrendConfig = ConfirmedTrendConfig()
    rotation: RotationConfig = RotationConfig()
    cross_sectional_momentum: MomentumConfig = MomentumConfig()
    carry: CarryConfig = CarryConfig()
    ml_overlay: MlOverlayConfig = MlOverlayConfig()
    decision_seconds: float = Field(10.0, gt=0, le=3600)

    @model_validator(mode="after")
    def _budgets_fit(self) -> Self:
        total = sum(sleeve.budget for sleeve in self.sleeves)
        if total > 1 + 1e-9:
            raise ValueError(f"the sleeves' budgets add up to {total:g}, more than all capital")
        if total <= 0:
            raise ValueError("no sleeve has a budget, so nothing would ever be decided")
        names = [sleeve.name for sleeve in self.sleeves]
        if len(set(names)) < len(names):
            raise ValueError(f"two sleeves have the same name: {', '.join(names)}")
        if len([sleeve for sleeve in self.sleeves if sleeve.strategy == "carry" and sleeve.budget > 0]) > 1:
            raise ValueError("more than one sleeve runs carry, and their short legs could not be told apart")
        return self
