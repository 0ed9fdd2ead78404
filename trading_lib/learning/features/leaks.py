"""Features that know the label: no honest one ranks assets nearly as their future does."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from trading_lib.domain.errors import InputError
from trading_lib.domain.market.prices import FloatArray
from trading_lib.learning.dataset import Dataset
from trading_lib.learning.ranks import session_ranks

# Mean rank correlation with the label within a session: refused, and told of. The best known predictors reach .1.
LEAK, SUSPICIOUS = 0.95, 0.3
# A rank correlation of fewer assets says nothing.
LEAST_ASSETS = 3


def refuse_leaks(data: Dataset, note: Callable[[str], None] = lambda line: None) -> None:
    """Refuse a feature whose mean rank correlation with the label within a session is beyond .95, either way.

    Nothing is fitted for it, so all of it is out of sample.

    Parameters
    ----------
    note
        Is told of a feature beyond .3, which no known predictor reaches.

    Raises
    ------
    InputError
        Naming the feature.
    """
    labels = data.matrix(data.y)
    for column, name in enumerate(data.features):
        correlation = mean_rank_correlation(data.matrix(data.x[:, column]), labels)
        if abs(correlation) > LEAK:
            raise InputError(
                f"feature {name} is a leak: it ranks assets as their future does (mean rank correlation with the "
                f"label {correlation:+.2f})",
                "compute it from what was known at the decision alone, or leave it out",
            )
        if abs(correlation) > SUSPICIOUS:
            note(f"feature {name} has a mean rank correlation of {correlation:+.2f} with the label: is it a leak?")


def mean_rank_correlation(values: FloatArray, labels: FloatArray) -> float:
    """Mean over the sessions of the rank correlation of values and labels, shape (S, n); NaN where none has any."""
    both = np.isfinite(values) & np.isfinite(labels)
    ours, theirs = (session_ranks(np.where(both, array, np.nan)) for array in (values, labels))
    ours, theirs = np.nan_to_num(ours), np.nan_to_num(theirs)
    sizes = np.sqrt((ours**2).sum(axis=1) * (theirs**2).sum(axis=1))
    usable = (both.sum(axis=1) >= LEAST_ASSETS) & (sizes > 0)
    if not usable.any():
        return float("nan")
    return float(np.mean((ours * theirs).sum(axis=1)[usable] / sizes[usable]))
