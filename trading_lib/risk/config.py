"""Configuration of the risk manager."""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, Any, Self

import numpy as np
from pydantic import BeforeValidator, Field, model_validator

from trading_lib.domain.configuration import Configuration, Options
from trading_lib.domain.market.prices import FloatArray
from trading_lib.domain.money import MICRO
from trading_lib.risk.numbers import RiskNumbers

Fraction = Annotated[float, Field(ge=0, le=1)]


class LevelConfig(Configuration):
    """Drawdowns that trigger levels 1 to 4 and the share of each position sold on entry.

    Attributes
    ----------
    rebase_margin
        How far below the lower level's bound drawdown stands after a step down (fraction of the reference peak). At
        the bound itself the first cent lost would be the same breach again.
    """

    drawdowns: tuple[Fraction, Fraction, Fraction, Fraction] = (0.05, 0.08, 0.12, 0.15)
    reductions: tuple[Fraction, Fraction, Fraction, Fraction] = (0.0, 0.25, 0.50, 1.0)
    level_1_minimum_confidence: Fraction = 0.40
    rebase_margin: float = Field(0.005, gt=0)

    @cached_property
    def bounds(self) -> FloatArray:
        """Drawdowns as an array, shape (4,)."""
        return np.array(self.drawdowns)

    @cached_property
    def kept_millionths(self) -> tuple[int, ...]:
        """Share of a position that entering levels 0 to 4 leaves, in millionths."""
        return (MICRO, *(MICRO - round(share * MICRO) for share in self.reductions))

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not 0 < self.drawdowns[0] < self.drawdowns[1] < self.drawdowns[2] < self.drawdowns[3] < 1:
            raise ValueError("drawdowns must rise strictly between 0 and 1")
        if list(self.reductions) != sorted(self.reductions):
            raise ValueError("reductions must not fall from level to level")
        if self.reductions[0] != 0:
            raise ValueError(f"level 1 only alerts, its reduction must be 0, not {self.reductions[0]:g}")
        if self.reductions[3] != 1:
            raise ValueError(f"level 4 liquidates, its reduction must be 1, not {self.reductions[3]:g}")
        gaps = [high - low for low, high in zip((0.0, *self.drawdowns[:3]), self.drawdowns, strict=True)]
        if self.rebase_margin >= min(gaps):
            raise ValueError(f"rebase_margin {self.rebase_margin:g} would skip a level; keep it below {min(gaps):g}")
        return self


class RecoveryConfig(Configuration):
    """The re-entry ladder after a liquidation.

    Attributes
    ----------
    max_leverage
        Most that approved weights add up to while it is climbed. As shipped (1.0) the cash buffer binds before it does.
    """

    sessions_per_step: int = Field(5, ge=1)
    sizes: tuple[Fraction, ...] = (0.25, 0.50, 0.75, 1.0)
    max_leverage: float = Field(1.0, gt=0)

    @model_validator(mode="after")
    def _ends_at_full_size(self) -> Self:
        if not self.sizes or self.sizes[-1] != 1.0 or list(self.sizes) != sorted(self.sizes):
            raise ValueError("sizes must rise and end at 1.0, or trading never returns to full size")
        if self.sizes[0] <= 0:
            raise ValueError("the first of sizes must be above 0, or re-entry begins with nothing")
        return self


class StopConfig(Configuration):
    """When asset stops are checked, and what happens after one.

    Attributes
    ----------
    days_without_session
        Whether the stops of what trades every day are also checked on days without a session
        (docs/specification.md#days-without-a-session).
    """

    days_without_session: bool = True
    cool_off_sessions: int = Field(5, ge=0)

    @cached_property
    def numbers(self) -> FloatArray:
        """Parameters of the stop rules beside the universe's bounds, in the order in which their kernels read them."""
        return np.array([], dtype=np.float64)


class CorrelationConfig(Configuration):
    """Correlations that put a floor under the risk level, and the one of a pair that is worth a warning.

    Attributes
    ----------
    pair_warning, pair_rearm
        A pair is reported when it rises above the first, and again only after it was at or below the second.
    """

    average_floor_1: float = Field(0.50, gt=0, le=1)
    every_pair_floor_2: float = Field(0.80, gt=0, le=1)
    pair_warning: float = Field(0.70, gt=0, le=1)
    pair_rearm: float = Field(0.65, gt=-1, le=1)

    @model_validator(mode="after")
    def _rearms_below_the_warning(self) -> Self:
        if self.pair_rearm > self.pair_warning:
            raise ValueError(f"pair_rearm {self.pair_rearm:g} must not lie above pair_warning {self.pair_warning:g}")
        return self


class RuleConfig(Configuration):
    """A risk rule of the user's own.

    Attributes
    ----------
    rule
        ``file.py:Class`` in include/risk_rules, or ``package.module:Class``.
    options
        Pairs of name and value, the keyword arguments of the class.
    """

    rule: str
    options: Options = ()

    @model_validator(mode="after")
    def _is_a_class(self) -> Self:
        place, _, name = self.rule.partition(":")
        if not place or not name.isidentifier():
            raise ValueError(f"{self.rule!r} names no class: write file.py:Class, or package.module:Class")
        return self


def _named(given: Any) -> Any:
    """Take a rule without options by its name alone."""
    if not isinstance(given, list | tuple):
        return given
    return tuple({"rule": entry} if isinstance(entry, str) else entry for entry in given)


class RiskConfig(Configuration):
    """Configuration of the risk manager: risk.yaml.

    Attributes
    ----------
    rules
        Of the user's own, asked after all others.
    retire_after_sessions
        Sessions without a new price after which an asset is retired: neither bought nor sold until a price returns or
        its proceeds are recorded.
    """

    levels: LevelConfig = LevelConfig()
    target_volatility: float = Field(0.15, gt=0)
    volatility_window: int = Field(20, ge=5)
    calm_sessions: int = Field(5, ge=1)
    recovery: RecoveryConfig = RecoveryConfig()
    stops: StopConfig = StopConfig()
    correlation: CorrelationConfig = CorrelationConfig()
    retire_after_sessions: int = Field(20, ge=1)
    simulated_approval: bool = True
    rules: Annotated[tuple[RuleConfig, ...], BeforeValidator(_named)] = ()

    @model_validator(mode="after")
    def _each_rule_once(self) -> Self:
        names = [entry.rule for entry in self.rules]
        if len(set(names)) < len(names):
            raise ValueError(f"rules names one twice: {', '.join(names)}")
        return self

    @cached_property
    def numbers(self) -> RiskNumbers:
        """All parameters that the risk step reads, as numbers."""
        levels, correlation, recovery = self.levels, self.correlation, self.recovery
        return RiskNumbers(
            level_bounds=levels.bounds,
            rebase_margin=levels.rebase_margin,
            target_volatility=self.target_volatility,
            calm_sessions=self.calm_sessions,
            average_floor=correlation.average_floor_1,
            pair_floor=correlation.every_pair_floor_2,
            level_1_confidence=levels.level_1_minimum_confidence,
            kept=np.array(levels.kept_millionths),
            cool_off=self.stops.cool_off_sessions,
            stop_numbers=self.stops.numbers,
            recovery_sizes=np.array(recovery.sizes),
            recovery_sessions=recovery.sessions_per_step,
            recovery_leverage=recovery.max_leverage,
        )
