"""Time-weighted returns: what a book earned on its capital, whoever put it in or took it out, and when.

The window is cut at every flow; the returns of the parts are linked by multiplication. A flow counts from the opening
of its session, so the part before it ends with the net asset value of the session before, and the session's return is
``nav[t] / (nav[t - 1] + flow[t]) - 1``.
"""

from __future__ import annotations

import numpy as np

from trading_lib.domain.market.prices import FloatArray


def capital_factors(nav: FloatArray, flows: FloatArray) -> FloatArray:
    """By how much flows alone have multiplied the net asset value up to each session, shape (S,).

    Parameters
    ----------
    nav
        Net asset value at each decision, shape (S,), positive.
    flows
        Dollars that came in at each session's opening, less what left, shape (S,); the first is part of the capital
        that the run starts with and does not count.
    """
    factors = np.ones(len(nav))
    for t in np.flatnonzero(flows[1:]) + 1:
        factors[t:] *= (nav[t - 1] + flows[t]) / nav[t - 1]
    return factors


def flow_adjusted(nav: FloatArray, flows: FloatArray | None) -> FloatArray:
    """Net asset value as it would be had no capital come or gone, shape (S,); ratios are time-weighted returns.

    Without flows it is ``nav`` itself.
    """
    if flows is None or not flows.any():
        return nav
    adjusted: FloatArray = nav / capital_factors(nav, flows)
    return adjusted


def time_weighted_return(nav: FloatArray, flows: FloatArray) -> float:
    """Compounded return of the window, not annualised."""
    adjusted = flow_adjusted(nav, flows)
    return float(adjusted[-1] / adjusted[0] - 1.0)
