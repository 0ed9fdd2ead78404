"""How rules lowered weights, one after the other: what an explanation shows between a target and an order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from trading_lib.domain.prices import FloatArray


@dataclass(frozen=True, slots=True)
class WeightStep:
    """One rule.

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
