"""Dataset -> `CombinatorialPlan`: combinatorial purged cross-validation over sessions, checked by label times.

Splits and paths are skfolio's, which counts rows: it is shown one row per session. What it leaves to train on is then
cut down by the labels' own times, so that neither a gap in the sessions nor a label longer than the purge lets a
training label reach into a test block (Lopez de Prado 2018, chapters 7 and 12).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trading_lib.domain.errors import InputError
from trading_lib.domain.market.prices import IntegerArray
from trading_lib.learning.config import SplitConfig
from trading_lib.learning.dataset import Dataset
from trading_lib.learning.splits.plan import CombinatorialPlan, Split, cut


def combinatorial_plan(data: Dataset, config: SplitConfig) -> CombinatorialPlan:
    """Split a dataset's sessions by every combination of test folds.

    The window of three years limits what the models learn from; here that is the dataset itself
    (`trading_lib.learning.splits.walk_forward.within_window`), as a split trains on both sides of its tests.

    Raises
    ------
    InputError
        When a fold is not longer than purge and embargo, or a split is left with nothing to train on.
    """
    from skfolio.model_selection import CombinatorialPurgedCV

    count = len(data.sessions)
    require_room(count, config.folds, config.purge + config.embargo)
    try:
        cuts = CombinatorialPurgedCV(config.folds, config.test_folds, config.purge, config.embargo)
        found = list(cuts.split(np.zeros((count, 1))))
    except ValueError as error:
        raise InputError(
            f"{config.folds} folds, {config.test_folds} of which test, cannot be split ({error})",
            "change splits.folds or splits.test_folds",
        ) from None
    splits = tuple(
        _split(data, config, number, tuple(int(fold) for fold in cuts.test_set_index[number]), train, tests)
        for number, (train, tests) in enumerate(found)
    )
    return CombinatorialPlan(cut(count, config.folds), splits, np.asarray(cuts.recombined_paths, dtype=np.int64).T)


def require_room(sessions: int, folds: int, left_out: int) -> None:
    """Refuse folds that are not longer than what is left out beside them."""
    size = sessions // folds
    if left_out >= size - 1:
        raise InputError(
            f"{sessions} sessions make {folds} folds of {size}, and purge and embargo leave out {left_out} beside each",
            f"use at least {folds * (left_out + 2)} sessions, fewer folds, or a shorter purge and embargo",
        )


def clear_of_tests(
    data: Dataset, train: IntegerArray, blocks: Sequence[tuple[int, int]], purge: int, embargo: int
) -> IntegerArray:
    """Drop training sessions that come too close to a test block on the market's own axis of sessions.

    Parameters
    ----------
    blocks
        First and last position of every contiguous test block.
    purge
        Sessions between training and test on both sides, where the labels do not need more.
    embargo
        Further sessions after a block and its purge.
    """
    start, end = data.label_start, data.label_end
    keep = np.ones(len(train), dtype=bool)
    for first, last in blocks:
        block_ends = max(int(end[first : last + 1].max()), int(start[last]) + purge)
        before = (end[train] < start[first]) & (start[train] + purge < start[first])
        keep &= before | (start[train] > block_ends + embargo)
    return train[keep]


def _split(
    data: Dataset,
    config: SplitConfig,
    number: int,
    test_folds: tuple[int, ...],
    train: IntegerArray,
    tests: list[IntegerArray],
) -> Split:
    test = np.concatenate(tests)
    breaks = np.flatnonzero(np.diff(test) > 1)
    first, last = test[np.r_[0, breaks + 1]], test[np.r_[breaks, len(test) - 1]]
    blocks = tuple((int(a), int(b)) for a, b in zip(first, last, strict=True))
    clear = clear_of_tests(data, train, blocks, config.purge, config.embargo)
    if not len(clear):
        raise InputError(
            f"the split that tests folds {', '.join(map(str, test_folds))} has nothing left to train on",
            "use more sessions, fewer test folds, or a shorter purge and embargo",
        )
    return Split(number, test_folds, clear, test, blocks)
