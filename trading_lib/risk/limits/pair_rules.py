"""Which pairs of assets are closely correlated, as a kernel over sessions, and their names.

See docs/specification.md#correlations.

A pair rises into the set above ``warning`` and leaves it at or below ``rearm``: between the two it stays as it was, so
that a correlation that hovers around the warning is reported once, not every other session.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from trading_lib.domain.kernels import compiled
from trading_lib.domain.market.prices import BoolArray, FloatArray


@lru_cache(maxsize=64)
def pair_names(symbols: tuple[str, ...]) -> tuple[str, ...]:
    """Name of every pair, "SPY/QQQ" in the order of the universe, in the order of the kernel below."""
    return tuple(f"{symbols[j]}/{symbols[i]}" for i in range(len(symbols)) for j in range(i))


@lru_cache(maxsize=4)
def _pair_places(symbols: tuple[str, ...]) -> dict[str, int]:
    return {name: place for place, name in enumerate(pair_names(symbols))}


@compiled
def correlated_pairs(correlations: FloatArray, before: BoolArray, warning: float, rearm: float) -> BoolArray:
    """Follow the closely correlated pairs through sessions.

    Parameters
    ----------
    correlations
        Shape (c, n, n), symmetric; a pair that is unknown (NaN) stays as it was.
    before
        Shape (n (n - 1) / 2,): of the session before the first.

    Returns
    -------
    ndarray of shape (c + 1, n (n - 1) / 2)
        ``before``, and the pairs after each session.
    """
    sessions, assets = correlations.shape[0], correlations.shape[1]
    correlated = np.zeros((sessions + 1, before.shape[0]), np.bool_)
    correlated[0] = before
    for t in range(sessions):
        first = 0
        for i in range(assets):
            values, was, now = (
                correlations[t, i, :i],
                correlated[t, first : first + i],
                correlated[t + 1, first : first + i],
            )
            for j in range(values.shape[0]):
                now[j] = (values[j] > warning) | (was[j] & (not values[j] <= rearm))
            first += i
    return correlated


@lru_cache(maxsize=64)
def _places(assets: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    rows, columns = np.tril_indices(assets, -1)
    return rows, columns


def pair_values(correlations: FloatArray, pairs: list[int]) -> dict[int, float]:
    """Look up the correlations, shape (n, n), of pairs that are numbered in the order of `pair_names`."""
    rows, columns = _places(correlations.shape[0])
    return dict(zip(pairs, correlations[rows[pairs], columns[pairs]].tolist(), strict=True))


@lru_cache(maxsize=16)
def pair_flags(names: frozenset[str], symbols: tuple[str, ...]) -> BoolArray:
    """Turn names into a read-only array in the order of `pair_names`; names of other symbols are left out."""
    places = _pair_places(symbols)
    flags = np.zeros(len(places), np.bool_)
    flags[[places[name] for name in names if name in places]] = True
    flags.flags.writeable = False
    return flags


def named_pairs(flags: BoolArray, symbols: tuple[str, ...]) -> frozenset[str]:
    """Undo `pair_flags`."""
    names = pair_names(symbols)
    return frozenset([names[k] for k in np.flatnonzero(flags).tolist()])
