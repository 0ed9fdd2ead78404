"""Falls from a peak and the way back, one by one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trading_lib.domain.market.prices import FloatArray

# The worst of them that reports list.
LISTED = 5
# Less than this is rounding dust.
SHALLOWEST = 1e-12


@dataclass(frozen=True, slots=True)
class Drawdown:
    """One fall below a running peak, by positions in the curve.

    Attributes
    ----------
    depth
        From the peak to the lowest value, as a positive fraction.
    peak, trough
        The last value at the peak before the fall, and the lowest one; the first of equals.
    recovered
        The first value at the peak or above it again; None where there is none.
    length
        Sessions from the peak to the recovery, or to the end of the curve.
    """

    depth: float
    peak: int
    trough: int
    recovered: int | None
    length: int


def drawdowns(values: FloatArray) -> tuple[Drawdown, ...]:
    """Split a curve into its drawdowns, the deepest first and of equals the earlier.

    Parameters
    ----------
    values
        Shape (S,), positive.
    """
    highest = np.maximum.accumulate(values)
    below = values < highest
    # One step up where a fall begins, one down where it is over.
    edges = np.flatnonzero(np.diff(np.r_[False, below, False].astype(np.int8)))
    found = [_drawdown(values, int(first), int(after)) for first, after in zip(edges[::2], edges[1::2], strict=True)]
    return tuple(sorted((d for d in found if d.depth > SHALLOWEST), key=lambda d: -d.depth))


def _drawdown(values: FloatArray, first: int, after: int) -> Drawdown:
    peak, trough = first - 1, first + int(np.argmin(values[first:after]))
    recovered = after if after < len(values) else None
    end = len(values) - 1 if recovered is None else recovered
    return Drawdown(float(1.0 - values[trough] / values[peak]), peak, trough, recovered, end - peak)
