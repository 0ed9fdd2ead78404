"""The carry sleeve: earns funding with spot long and perpetual short of equal quantity.

The rules are in docs/specification.md#carry. Input: funding rates as known, what the sleeve holds of both legs. Output:
the spot weight and its hedges, by venue. Whether a venue is entered or left is decided by its own rate; what is held is
the state, so the sleeve remembers only which events it has reported.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

import numpy as np

from trading_lib.domain.decision.sleeves import Rationale, SleeveEvent, SleeveTarget, SleeveView
from trading_lib.domain.market.funding import FundingView
from trading_lib.domain.market.market_view import MarketView
from trading_lib.domain.market.perpetuals import venue_of
from trading_lib.strategies.config import CarryConfig

OFF = (
    "carry is off: no venue is allowed (a United States account has no perpetual futures venue); set "
    "carry.allowed_venues where the account has one"
)
NO_RATES = "carry opens nothing: no funding rates are known"


@dataclass(frozen=True, slots=True)
class VenueReading:
    """Funding of a venue as known; see the fields of `FundingView`, NaN where missing."""

    rate: float = math.nan
    annual_carry: float = math.nan
    volatility_ratio: float = math.nan
    age_hours: float = math.nan


@dataclass(frozen=True, slots=True)
class VenueStep:
    """Decision on one venue: notional as a share of net asset value, the reason, and whether entry is paused."""

    weight: float
    reason: str
    paused: bool = False


class Carry:
    """Funding carry in one crypto asset, over the venues the account may use."""

    hedges = True

    def __init__(self, config: CarryConfig) -> None:
        self._config = config

    def target(self, view: MarketView, sleeve: SleeveView) -> SleeveTarget:
        """Decide one session."""
        config, nothing = self._config, np.zeros(len(view.universe))
        column = view.universe.positions.get(config.spot)
        held = {venue_of(symbol): weight * sleeve.budget for symbol, weight in sleeve.hedged.items()}
        if column is None or not (config.allowed_venues or held):
            return SleeveTarget(nothing, partial(dict, {"": OFF} if column is not None else {"": self._no_spot()}))
        readings = _readings(view.funding)
        limit = venue_limit(config, sleeve.budget)
        steps = {
            venue: venue_step(config, venue, readings.get(venue), held.get(venue, 0.0), limit)
            for venue in sorted({*config.allowed_venues, *held})
        }
        hedges = {config.contract.on(v): step.weight / sleeve.budget for v, step in steps.items() if step.weight > 0}
        weights = nothing
        weights[column] = sum(hedges.values())
        return SleeveTarget(
            weights,
            partial(_words, config, steps, view.funding is None),
            {name: 1.0 for v, s in steps.items() for name in _remembered(v, s)},
            _events(config, steps, sleeve),
            hedges,
        )

    def _no_spot(self) -> str:
        return f"carry is off: {self._config.spot} is not in the universe"


def venue_limit(config: CarryConfig, budget: float) -> float:
    """Largest notional of the short on one venue, as a share of net asset value.

    The total is split evenly over the allowed venues. Spot leg and margin both come out of the sleeve's own capital.
    """
    venues = max(len(config.allowed_venues), 1)
    capital = budget / (1.0 + config.margin)
    return min(config.max_venue_weight, config.max_weight / venues, capital / venues)


def venue_step(config: CarryConfig, venue: str, reading: VenueReading | None, held: float, limit: float) -> VenueStep:
    """Decide one venue.

    Parameters
    ----------
    held
        Notional of the short there, as a share of net asset value.
    limit
        From `venue_limit`.
    """
    size = config.entry_share * limit
    # A position that has outgrown its limit is cut to where it would be opened.
    kept = held if held <= limit else size
    if venue not in config.allowed_venues:
        return VenueStep(0.0, "the venue is no longer allowed, both legs are closed")
    current = reading or VenueReading()
    if not math.isfinite(current.rate):
        return _without_rate(config, current, held, kept)
    rate = f"{current.rate:+.5%} per 8 hours ({current.annual_carry:+.1%} a year)"
    if held > 0 and current.rate < config.exit_rate:
        return VenueStep(0.0, f"{rate} is below {config.exit_rate:.3%}, both legs are closed")
    if not current.rate > config.entry_rate:
        between = f"{rate} is not above {config.entry_rate:.3%}"
        return VenueStep(kept, f"{between}, " + ("what is held stays" if held > 0 else "nothing is opened"))
    if not current.volatility_ratio <= config.pause_ratio:
        missing = math.isnan(current.volatility_ratio)
        cause = (
            "its history is too short to judge its volatility"
            if missing
            else f"it is {current.volatility_ratio:.1f} times as volatile as usual, more than {config.pause_ratio:g}"
        )
        return VenueStep(kept, f"{rate}, but {cause}: nothing is opened", paused=not missing)
    grown = f" (cut from {held:.1%}, above the limit of {limit:.1%})" if held > limit else ""
    return VenueStep(max(kept, size), f"{rate} is above {config.entry_rate:.3%}{grown}")


def _without_rate(config: CarryConfig, current: VenueReading, held: float, kept: float) -> VenueStep:
    old = f"the newest is {current.age_hours:.0f} hours old" if math.isfinite(current.age_hours) else "none is known"
    if held <= 0:
        return VenueStep(0.0, f"no usable rate ({old}), nothing is opened")
    if current.age_hours <= config.missing_hours:
        return VenueStep(kept, f"no usable rate ({old}), what is held stays")
    return VenueStep(0.0, f"no usable rate for more than {config.missing_hours:g} hours ({old}), both legs are closed")


def _readings(funding: FundingView | None) -> dict[str, VenueReading]:
    if funding is None:
        return {}
    columns = (funding.rate, funding.annual_carry, funding.volatility_ratio, funding.age_hours)
    rows = zip(funding.venues, *(column.tolist() for column in columns), strict=True)
    return {venue: VenueReading(*numbers) for venue, *numbers in rows}


def _remembered(venue: str, step: VenueStep) -> list[str]:
    return ([venue] if step.weight > 0 else []) + ([f"paused:{venue}"] if step.paused else [])


def _events(config: CarryConfig, steps: dict[str, VenueStep], sleeve: SleeveView) -> tuple[SleeveEvent, ...]:
    """Report entries, exits and pauses once each, not on every session they last."""
    events = []
    for venue, step in steps.items():
        was_in, is_in = venue in sleeve.memory, step.weight > 0
        if is_in != was_in:
            kind = "carry_entry" if is_in else "carry_exit"
            events.append(SleeveEvent(kind, f"{venue}: {step.reason}", config.spot))
        if step.paused and f"paused:{venue}" not in sleeve.memory:
            events.append(SleeveEvent("carry_pause", f"{venue}: {step.reason}", config.spot))
    return tuple(events)


def _words(config: CarryConfig, steps: dict[str, VenueStep], without_rates: bool) -> Rationale:
    lines = [f"{venue}: {step.reason} -> {step.weight:.1%} of net asset value" for venue, step in steps.items()]
    rationale = {config.spot: "; ".join(lines)}
    return {"": NO_RATES, **rationale} if without_rates else rationale
