"""Sums over rows from which ridge regressions of many training parts and many labels follow without a second look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trading_lib.domain.market.prices import FloatArray

# A feature whose spread is below this share of its size is constant but for rounding.
CONSTANT = 1e-12


@dataclass(frozen=True, slots=True)
class Moments:
    """Sums of a chunk of rows around its own means, with 0 where a feature is missing.

    Attributes
    ----------
    rows
        How many.
    center
        Shape (F,): mean of each feature where it is known.
    centred, seen
        Shape (rows, F): values less ``center``, 0 where missing; 1 where known.
    gram, mixed, both
        Shape (F, F): centred'centred, seen'centred and seen'seen.
    complete
        Whether nothing is missing.
    """

    rows: int
    center: FloatArray
    centred: FloatArray
    seen: FloatArray
    gram: FloatArray
    mixed: FloatArray
    both: FloatArray
    complete: bool


@dataclass(frozen=True, slots=True)
class Standardisation:
    """Mean and inverse standard deviation of every feature, shape (F,); 0 for a feature that does not vary."""

    mean: FloatArray
    inverse: FloatArray

    def apply(self, x: FloatArray) -> FloatArray:
        """Standardise rows; what is missing becomes 0, the training mean."""
        return np.where(np.isnan(x), 0.0, (x - self.mean) * self.inverse)


def moments(x: FloatArray) -> Moments:
    """Sum up a chunk of rows, shape (rows, F)."""
    known = ~np.isnan(x)
    seen = known.astype(float)
    counts = seen.sum(axis=0)
    center = np.where(known, x, 0.0).sum(axis=0) / np.maximum(counts, 1.0)
    centred = np.where(known, x - center, 0.0)
    complete = bool(known.all())
    if complete:
        sums = centred.sum(axis=0)
        mixed = np.broadcast_to(sums, (len(sums), len(sums)))
        both = np.full_like(mixed, float(len(x)))
    else:
        mixed, both = seen.T @ centred, seen.T @ seen
    return Moments(len(x), center, centred, seen, centred.T @ centred, mixed, both, complete)


def standardised_gram(chunks: Sequence[Moments]) -> tuple[Standardisation, FloatArray]:
    """Standardisation over several chunks, and the Gram matrix of what it makes of them, per row, shape (F, F)."""
    counts = sum(chunk.both.diagonal() for chunk in chunks)
    mean = sum(chunk.both.diagonal() * chunk.center for chunk in chunks) / np.maximum(counts, 1.0)
    gram = np.zeros_like(chunks[0].gram)
    for chunk in chunks:
        shift = mean - chunk.center
        gram += chunk.gram - shift[:, None] * chunk.mixed - (shift[:, None] * chunk.mixed).T
        gram += np.outer(shift, shift) * chunk.both
    deviation = np.sqrt(np.maximum(gram.diagonal(), 0.0) / np.maximum(counts, 1.0))
    varies = deviation > CONSTANT * np.abs(mean)
    inverse = np.where(varies, 1.0 / np.where(varies, deviation, 1.0), 0.0)
    rows = sum(chunk.rows for chunk in chunks)
    return Standardisation(mean, inverse), gram * np.outer(inverse, inverse) / rows


def standardised_product(
    chunks: Sequence[Moments], products: Sequence[tuple[FloatArray, FloatArray]], standard: Standardisation
) -> FloatArray:
    """Product of the standardised features with the labels, per row, shape (F,).

    Parameters
    ----------
    products
        For each chunk, centred'y and seen'y.
    """
    total = sum(
        of_centred - (standard.mean - chunk.center) * of_seen
        for chunk, (of_centred, of_seen) in zip(chunks, products, strict=True)
    )
    product: FloatArray = standard.inverse * np.asarray(total) / sum(chunk.rows for chunk in chunks)
    return product
