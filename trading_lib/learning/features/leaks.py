"""Features that know the label: no honest one ranks assets nearly as their future does."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from trading_lib.domain.errors import InputError
from trading_lib.domain.market.prices import FloatArray
from trading_lib.learning.dataset import Dataset
from trading_lib.learning.ranks import session_ranks

# Mean rank correlation within a session with the label or the next session's return: refused. The best known
# predictors reach .1.
LEAK = 0.5
# Told of. Features of the funds reach .15 of labels over three years and .04 of the next session, whose mean is known
# better; momentum over a month that is shifted by one session reaches .06 and .18.
SUSPICIOUS, SUSPICIOUS_NEXT = 0.3, 0.1
# A rank correlation of fewer assets says nothing.
LEAST_ASSETS = 3


def refuse_leaks(data: Dataset, note: Callable[[str], None] = lambda line: None) -> None:
    """Refuse a feature that ranks assets as their label or their next session's return does, either way.

    Nothing is fitted for it, so all of it is out of sample. A feature of which a tenth looks ahead may pass:
    `trading_lib.learning.features.own` and the lookahead audit find it where it is computed here.

    Parameters
    ----------
    note
        Is told of a feature that does so more than any known predictor.

    Raises
    ------
    InputError
        Naming the feature.
    """
    answers = (
        ("the label", data.matrix(data.y), SUSPICIOUS),
        ("the next session's return", next_returns(data), SUSPICIOUS_NEXT),
    )
    for column, name in enumerate(data.features):
        values = data.matrix(data.x[:, column])
        for answer, future, suspicious in answers:
            correlation = mean_rank_correlation(values, future)
            if abs(correlation) > LEAK:
                raise InputError(
                    f"feature {name} is a leak: it ranks assets as their future does (mean rank correlation with "
                    f"{answer} {correlation:+.2f})",
                    "compute it from what was known at the decision alone, or leave it out",
                )
            if abs(correlation) > suspicious:
                note(f"feature {name} has a mean rank correlation of {correlation:+.2f} with {answer}: is it a leak?")


def next_returns(data: Dataset) -> FloatArray:
    """Return of the session after each, shape (S, n); NaN where that is not the dataset's next one, or was no trade."""
    following = np.full(data.daily_return.shape, np.nan)
    follows = np.diff(data.label_start) == 1
    known = np.where(data.tradable, data.daily_return, np.nan)
    following[:-1][follows] = known[1:][follows]
    return following


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
