"""Rows to learn from: features and labels of the sessions from a first to a last one.

Input: `FeaturePanel`, `Labels`, `PricePanel`. Output: `Dataset`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import numpy as np

from trading_lib.domain.errors import InputError
from trading_lib.domain.market.prices import BoolArray, FloatArray, IntegerArray, PricePanel
from trading_lib.learning.config import LearningConfig, SplitConfig
from trading_lib.learning.dataset import Dataset, FeaturePanel, Labels

Note = Callable[[str], None]
# Kinds of features that rest on series which begin at some time.
BESIDE_PRICES = ("macro", "positioning", "sentiment")


def assemble_dataset(
    features: FeaturePanel,
    labels: Labels,
    panel: PricePanel,
    config: LearningConfig,
    first: date,
    last: date,
    note: Note = lambda line: None,
) -> Dataset:
    """Put together every (session, asset) from ``first`` on whose label ends by ``last``.

    Parameters
    ----------
    labels
        Made with the row of ``last`` as their cut; see `trading_lib.learning.labels.forward_labels`.
    note
        Is told in one line each which sessions and features are left out.

    Raises
    ------
    InputError
        When a label ends after ``last``, labels do not vary, only one asset has any, the sessions are too few for the
        folds with purge and embargo, or a feature that there is data for has no value.
    """
    begin, end = _window(panel, first, last)
    _require_cut(labels, panel, end)
    _require_assets(labels, panel, begin, end, config.label.minimum_assets)
    enough = np.isfinite(labels.rank).sum(axis=1) >= config.label.minimum_assets
    inside = np.arange(begin, end + 1)
    positions = inside[enough[inside]]
    _note_sessions(labels, panel, inside, enough, config, note)
    _require_folds(panel, positions, config)
    row_session, row_symbol = np.nonzero(np.isfinite(labels.rank[positions]))
    at = positions[row_session]
    y = labels.rank[at, row_symbol]
    _require_varying(y, panel, positions)
    x = np.ascontiguousarray(features.values[:, at, row_symbol].T)
    kept = _kept_features(features, x, panel, positions, note)
    return Dataset(
        features=tuple(features.names[column] for column in kept),
        symbols=panel.symbols,
        sessions=panel.sessions[positions],
        label_start=positions.astype(np.int64),
        label_end=(positions + labels.horizon).astype(np.int64),
        row_session=row_session.astype(np.int64),
        row_symbol=row_symbol.astype(np.int64),
        x=np.ascontiguousarray(x[:, kept]),
        y=y,
        forward=labels.forward[at, row_symbol],
        daily_return=np.nan_to_num(panel.mark_return[positions], nan=0.0),
        tradable=panel.fresh[positions],
    )


def label_cut(panel: PricePanel, last: date) -> int:
    """Row of the newest session up to ``last``: the cut that no label crosses.

    Raises
    ------
    InputError
        When the prices begin later.
    """
    row = int(np.searchsorted(panel.sessions, np.datetime64(last), side="right")) - 1
    if row < 0:
        raise InputError(f"there is no session up to {last}: prices begin on {panel.sessions[0]}", "choose a later end")
    return row


def sessions_needed(splits: SplitConfig) -> int:
    """Fewest sessions with labels whose folds are longer than purge and embargo together."""
    return splits.folds * (splits.purge + splits.embargo + 1)


def _window(panel: PricePanel, first: date, last: date) -> tuple[int, int]:
    if first > last:
        raise InputError(f"the window {first} to {last} is inverted", "swap the two dates")
    begin, end = int(np.searchsorted(panel.sessions, np.datetime64(first))), label_cut(panel, last)
    if begin > end:
        raise InputError(
            f"there is no session from {first} to {last}: prices reach from {panel.sessions[0]} "
            f"to {panel.sessions[-1]}",
            "choose a window that has prices",
        )
    return begin, end


def _require_cut(labels: Labels, panel: PricePanel, end: int) -> None:
    crossing = np.isfinite(labels.forward[max(0, end + 1 - labels.horizon) : end + 1])
    if not crossing.any():
        return
    row, asset = (int(index[0]) for index in np.nonzero(crossing))
    start = max(0, end + 1 - labels.horizon) + row
    raise InputError(
        f"the label of {panel.symbols[asset]} on {panel.sessions[start]} ends {labels.horizon} sessions later, "
        f"after the cut {panel.sessions[end]}",
        "make the labels with that session as their last",
    )


def _require_assets(labels: Labels, panel: PricePanel, begin: int, end: int, minimum: int) -> None:
    with_labels = np.isfinite(labels.forward[begin : end + 1]).any(axis=0)
    if with_labels.sum() >= minimum or not with_labels.any():
        return
    names = ", ".join(panel.symbols[asset] for asset in np.flatnonzero(with_labels))
    count = int(with_labels.sum())
    alone = "one asset has no rank among others" if count == 1 else f"{count} assets are too few to rank"
    raise InputError(
        f"only {names} {'has' if count == 1 else 'have'} labels from {panel.sessions[begin]} to "
        f"{panel.sessions[end]}, and {alone}",
        f"give prices of at least {minimum} assets, or lower label.minimum_assets of learning.yaml",
    )


def _note_sessions(
    labels: Labels, panel: PricePanel, inside: IntegerArray, enough: BoolArray, config: LearningConfig, note: Note
) -> None:
    returns = np.isfinite(labels.forward[inside]).sum(axis=1)
    few = (returns > 0) & ~enough[inside]
    if few.any():
        days = panel.sessions[inside[few]]
        note(
            f"{few.sum()} sessions from {days[0]} to {days[-1]} have fewer than {config.label.minimum_assets} assets "
            "with a label and are left out"
        )


def _require_folds(panel: PricePanel, positions: IntegerArray, config: LearningConfig) -> None:
    splits, sessions = config.splits, len(positions)
    need, fold = sessions_needed(splits), sessions // splits.folds
    apart = splits.purge + splits.embargo
    if fold > apart:
        return
    span = f" from {panel.sessions[positions[0]]} to {panel.sessions[positions[-1]]}" if sessions else ""
    raise InputError(
        f"{sessions} sessions with labels{span} make {splits.folds} folds of {fold}, not longer than purge "
        f"{splits.purge} and embargo {splits.embargo} together",
        f"give at least {need} sessions with labels (and {config.label.horizon} after them), or lower folds, purge or "
        "embargo in learning.yaml",
    )


def _require_varying(y: FloatArray, panel: PricePanel, positions: IntegerArray) -> None:
    if len(np.unique(y)) < 2:
        raise InputError(
            f"all {len(y)} labels from {panel.sessions[positions[0]]} to {panel.sessions[positions[-1]]} are equal, "
            "no asset did better than another",
            "check the prices of that time",
        )


def _kept_features(
    features: FeaturePanel, x: FloatArray, panel: PricePanel, positions: IntegerArray, note: Note
) -> list[int]:
    """Columns to learn from, in their order."""
    known = np.flatnonzero(np.isfinite(x).any(axis=0)).tolist()
    empty = [column for column in range(len(features.names)) if column not in known]
    # A series that begins later is none at this time; prices and own columns are there and must say something.
    missing = [c for c in empty if features.names[c] in features.absent or features.kinds[c] in BESIDE_PRICES]
    refused = [features.names[column] for column in empty if column not in missing]
    if refused:
        raise InputError(
            f"feature {', '.join(refused)} has no value from {panel.sessions[positions[0]]} to "
            f"{panel.sessions[positions[-1]]}, although there is data for it",
            "begin later, where its lookback is full, or correct that data",
        )
    if missing:
        note(f"no data at that time for {', '.join(features.names[column] for column in missing)}: learned without")
    constant = [column for column in known if np.nanmin(x[:, column]) == np.nanmax(x[:, column])]
    if constant:
        note(f"{', '.join(features.names[column] for column in constant)} never varies: learned without")
    kept: list[int] = [column for column in known if column not in constant]
    if not kept:
        raise InputError("no feature varies", "give prices that move")
    return kept
