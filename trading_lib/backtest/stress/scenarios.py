"""What a strategy is put through (docs/specification.md#stress-tests): scenarios, criteria, crisis paths."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from trading_lib.domain.configuration import Configuration

Limit = Annotated[float, Field(gt=0, le=1)]


class HistoricalWindow(Configuration):
    """A historical crisis window.

    Attributes
    ----------
    limit
        Maximum drawdown inside the window that still passes is below this.
    """

    name: str
    kind: Literal["historical"] = "historical"
    first: date = Field(alias="from")
    last: date = Field(alias="to")
    limit: Limit
    description: str = ""

    @model_validator(mode="after")
    def _not_inverted(self) -> Self:
        if self.first > self.last:
            raise ValueError(f"the window {self.first} to {self.last} is inverted")
        return self


class SyntheticDecline(Configuration):
    """A synthetic decline of all assets at once, from the last known prices on.

    Attributes
    ----------
    decline
        Every asset falls by exactly this share over ``sessions``.
    correlation, volatility_factor
        Of the sessions' returns: all pairs correlate so, and each asset varies so many times as much as in the
        ``volatility_window`` sessions before.
    start
        Session after which it begins; the newest of the data by default.
    """

    name: str
    kind: Literal["decline"]
    decline: float = Field(0.20, gt=0, lt=1)
    sessions: int = Field(20, ge=2, le=252)
    correlation: float = Field(0.90, ge=0, le=1)
    volatility_factor: float = Field(3.0, gt=0, le=20)
    volatility_window: int = Field(60, ge=20)
    start: date | None = None
    seed: int = Field(20081015, ge=0)
    limit: Limit
    description: str = ""


Scenario = Annotated[HistoricalWindow | SyntheticDecline, Field(discriminator="kind")]


class PassCriteria(Configuration):
    """Criteria that must all hold over the scenarios that ran."""

    max_drawdown: Limit = 0.25
    average_drawdown: Limit = 0.18
    highest_level: int = Field(3, ge=0, le=4)


class CrisisPathConfig(Configuration):
    """Bootstrapped paths of historical crises.

    Attributes
    ----------
    paths, sessions
        How many, and how long each is.
    mean_block
        Mean length of a block in sessions; lengths are geometric, as in the stationary bootstrap (Politis and Romano,
        1994). Two weeks keep a crash and the days around it together.
    """

    paths: int = Field(50, ge=1, le=10_000)
    sessions: int = Field(126, ge=20, le=1260)
    mean_block: float = Field(10.0, ge=1)
    seed: int = Field(20200316, ge=0)
    quantiles: tuple[Limit, ...] = (0.50, 0.75, 0.90, 0.95, 0.99)


def _listed(given: Any) -> Any:
    """Turn a mapping of names to scenarios into a list; a scenario with dates is a historical one."""
    if not isinstance(given, Mapping):
        return given
    return tuple(
        {"name": name, "kind": "historical", **value} if isinstance(value, Mapping) else value
        for name, value in given.items()
    )


class StressConfig(Configuration):
    """stress.yaml.

    Attributes
    ----------
    lead_sessions
        The book is opened so many sessions before a scenario, fewer where the data begin later, so that the crisis
        meets holdings instead of cash.
    """

    lead_sessions: int = Field(252, ge=0)
    criteria: PassCriteria = PassCriteria()
    scenarios: Annotated[tuple[Scenario, ...], BeforeValidator(_listed)] = Field(min_length=1)
    crisis_paths: CrisisPathConfig = CrisisPathConfig()
