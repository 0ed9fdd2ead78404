"""Target weights as a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from trading_lib.domain.prices import FloatArray


@dataclass(frozen=True, slots=True)
class TargetWeights:
    """What the strategy wants of one session, n assets in universe order.

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
    """

    wanted: FloatArray
    weights: FloatArray
    correlations: FloatArray
    clips: Mapping[str, tuple[str, ...]]
