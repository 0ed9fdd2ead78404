"""What models learn from, as values: `FeaturePanel` and `Labels` of every session, `Dataset` of the rows to learn.

T sessions of the panel, n assets, F features; S sessions and R rows of a dataset.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass, replace

import numpy as np

from trading_lib.domain.market.prices import DateArray, FloatArray, IntegerArray


@dataclass(frozen=True, slots=True)
class FeaturePanel:
    """Features of every session and asset, from nothing that was known later than the session's decision.

    Attributes
    ----------
    names
        F names, in an order that never changes for the same configuration.
    kinds
        What each is from: "price", "macro", "cross_section", "positioning", "sentiment" or "own".
    symbols, sessions
        Asset axis, and datetime64[D] of shape (T,).
    values
        Shape (F, T, n); NaN where a feature is missing.
    absent
        Names of the features that nothing was delivered for, as of reports that a source does not have: all NaN.
    """

    names: tuple[str, ...]
    kinds: tuple[str, ...]
    symbols: tuple[str, ...]
    sessions: DateArray
    values: FloatArray
    absent: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Labels:
    """Forward returns and their ranks.

    Attributes
    ----------
    rank
        Shape (T, n): rank of the forward return within the session, evenly spaced in [-0.5, 0.5], ties averaged; NaN
        where there is no label.
    forward
        Shape (T, n): simple total return from the mark of session t to that of session t + horizon; NaN where either
        is missing or the label would end after the cut.
    horizon
        A label of session t starts at t and ends at t + horizon.
    """

    rank: FloatArray
    forward: FloatArray
    horizon: int


@dataclass(frozen=True, slots=True)
class Dataset:
    """Rows to learn from, one per (session, asset) with a label, in the order of sessions and then assets.

    Attributes
    ----------
    features
        Names of the columns of ``x``.
    symbols
        Assets, n of them; ``row_symbol`` counts in them.
    sessions
        datetime64[D], shape (S,), ascending: the sessions with rows.
    label_start, label_end
        Shape (S,): first and last session of each session's labels, as positions on the market's own axis of sessions,
        so that a gap in ``sessions`` shortens no purge.
    row_session, row_symbol
        Shape (R,): positions in ``sessions`` and in ``symbols``.
    x
        Shape (R, F), NaN where a feature is missing.
    y
        Shape (R,): `Labels.rank`.
    forward
        Shape (R,): `Labels.forward`.
    daily_return
        Shape (S, n): simple total return of each asset in each session (from the one before on the market's axis), 0
        where it has none; books are valued by them.
    tradable
        Shape (S, n): whether the asset had a fresh price.
    """

    features: tuple[str, ...]
    symbols: tuple[str, ...]
    sessions: DateArray
    label_start: IntegerArray
    label_end: IntegerArray
    row_session: IntegerArray
    row_symbol: IntegerArray
    x: FloatArray
    y: FloatArray
    forward: FloatArray
    daily_return: FloatArray
    tradable: np.ndarray

    def __len__(self) -> int:
        return len(self.y)

    def rows_of(self, sessions: IntegerArray) -> IntegerArray:
        """Rows of the sessions at these positions, ascending."""
        return np.flatnonzero(np.isin(self.row_session, sessions))

    def matrix(self, values: FloatArray, rows: IntegerArray | None = None) -> FloatArray:
        """Spread values of rows over (S, n); NaN where there is no row.

        Parameters
        ----------
        values
            Shape (len(rows),), or (R,) without ``rows``.
        """
        at = np.arange(len(self)) if rows is None else rows
        spread = np.full((len(self.sessions), len(self.symbols)), np.nan)
        spread[self.row_session[at], self.row_symbol[at]] = values
        return spread

    def with_labels(self, y: FloatArray) -> Dataset:
        """Return the same rows with other labels, shape (R,)."""
        return replace(self, y=y)

    def without(self, names: Collection[str]) -> Dataset:
        """Return the same rows without some features; names that there are none of do not matter."""
        kept = [column for column, name in enumerate(self.features) if name not in names]
        if len(kept) == len(self.features):
            return self
        features = tuple(self.features[column] for column in kept)
        return replace(self, features=features, x=np.ascontiguousarray(self.x[:, kept]))

    @property
    def digest(self) -> str:
        """SHA-256 of everything that is learned from."""
        content = hashlib.sha256(repr((self.features, self.symbols)).encode())
        days = self.sessions.astype("datetime64[D]").astype(np.int64)
        for array in (days, self.label_end, self.row_session, self.row_symbol, self.x, self.y):
            content.update(np.ascontiguousarray(array).tobytes())
        return content.hexdigest()
