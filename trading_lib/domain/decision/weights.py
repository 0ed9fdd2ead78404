"""Target weights as a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from trading_lib.domain.decision.sleeves import SleeveEvent, SleeveRecord
from trading_lib.domain.market.prices import FloatArray


@dataclass(frozen=True, slots=True)
class TargetWeights:
    """Target weights of one session, n assets in universe order.

    Attributes
    ----------
    wanted
        Shape (n,): the blended sleeves before any constraint.
    weights
        Shape (n,): after the constraints; none negative, their sum at most 1 minus the cash buffer.
    correlations
        Shape (n, n): the pairwise correlations the pair caps used.
    clips
        Symbol -> the constraints that lowered its weight, in the order they applied.
    sleeves
        Sleeve -> its decision, which the next session starts from.
    """

    wanted: FloatArray
    weights: FloatArray
    correlations: FloatArray
    clips: Mapping[str, tuple[str, ...]]
    sleeves: Mapping[str, SleeveRecord] = field(default_factory=dict)

    @property
    def hedges(self) -> dict[str, float]:
        """Perpetual -> share of net asset value that sleeves want short, none of the constraints applied."""
        hedges: dict[str, float] = {}
        for record in self.sleeves.values():
            for symbol, weight in record.target.hedges.items():
                hedges[symbol] = hedges.get(symbol, 0.0) + record.budget * weight
        return dict(sorted(hedges.items()))

    @property
    def events(self) -> tuple[SleeveEvent, ...]:
        """Events of the sleeves, for the risk log."""
        return tuple(event for record in self.sleeves.values() for event in record.target.events)


@dataclass(frozen=True, slots=True)
class WeightStep:
    """The effect of one rule on the weights.

    Attributes
    ----------
    before, after
        Shape (n,): all weights around it, as shares of net asset value.
    details
        Position of every asset that the rule concerned -> what it compared, with numbers. Behind another rule that
        already forbade the same purchase, the weight stays as it is.
    """

    rule: str
    before: FloatArray
    after: FloatArray
    details: Mapping[int, str] = field(default_factory=dict)
