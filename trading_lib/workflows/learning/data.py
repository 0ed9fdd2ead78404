"""What models learn from and predict with: a dataset of past sessions, and the features of one session."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from trading_lib.domain.errors import InputError, SessionError
from trading_lib.domain.market.prices import PricePanel
from trading_lib.learning.assemble import assemble_dataset, label_cut
from trading_lib.learning.dataset import Dataset, FeaturePanel
from trading_lib.learning.features.leaks import refuse_leaks
from trading_lib.learning.features.own import OwnColumns, refuse_foresight
from trading_lib.learning.labels import forward_labels
from trading_lib.market_data.chain import CHAIN
from trading_lib.workflows.learning.inputs import (
    LearningInput,
    input_from_source,
    input_from_store,
)
from trading_lib.workflows.setup.settings import Settings
from trading_lib.workflows.setup.source_choice import SIMULATED, choose_source, research_source


@dataclass(frozen=True, slots=True)
class TrainingData:
    """A dataset and where it comes from.

    Attributes
    ----------
    features, panel
        Of every session up to the last, also those that no row is of.
    data_source
        Name of the source, e.g. "files:market-data".
    notes
        One line each about what was left out.
    simulated
        Whether the prices are made up, so that nothing learned from them may be traded.
    """

    dataset: Dataset
    features: FeaturePanel
    panel: PricePanel
    data_source: str
    notes: list[str]
    simulated: bool


def training_data(
    settings: Settings,
    first: date,
    last: date,
    data: Path | None = None,
    universe_extra: Path | None = None,
    *,
    stored: str | None = None,
    own: OwnColumns | None = None,
) -> TrainingData:
    """Read history up to ``last``, compute features and labels, and assemble the rows from ``first`` on.

    Nothing that became known after the decision of ``last`` is read, and no label ends after it.

    Parameters
    ----------
    data
        Folder of prices; without it the configured default, as shipped the simulated market.
    universe_extra
        Folder with prices of further symbols, which are learned from and not traded. Ranks and scores within a session
        are then among all of them.
    stored
        Name of a source whose rows in the database are read instead; the chain is always read there.
    own
        Columns of the user's own, as features.

    Raises
    ------
    InputError
        When there is too little to learn from, the data cannot be used, or a feature knows the label.
    """
    notes: list[str] = []
    found = known_input(settings, last, data, universe_extra, stored)
    panel, config = found.market.panel, settings.configuration.learning
    if found.quarantined:
        bars = "1 bar was" if found.quarantined == 1 else f"{found.quarantined:,} bars were"
        notes.append(f"{bars} set aside in quarantine: `trading validate` says why")
    if own:
        refuse_foresight(own, panel)
    features = found.features(settings.calendar, own)
    labels = forward_labels(panel, config.label.horizon, label_cut(panel, last), config.label.minimum_assets)
    dataset = assemble_dataset(features, labels, panel, config, first, last, notes.append)
    refuse_leaks(dataset, notes.append)
    # Of several sources the panel names all.
    simulated = SIMULATED in panel.source.split(", ")
    return TrainingData(dataset, features, panel, panel.source, notes, simulated)


def features_at(
    settings: Settings,
    session: date,
    stored: str | None = None,
    data: Path | None = None,
    own: OwnColumns | None = None,
) -> FeaturePanel:
    """Compute the features a prediction at ``session`` rests on: what was known at its decision, and no more.

    Parameters
    ----------
    stored, data, own
        As of `training_data`.

    Returns
    -------
    Features whose last row is ``session``.

    Raises
    ------
    SessionError
        When the data does not reach the session.
    """
    found = known_input(settings, session, data, None, stored)
    row = found.market.row(session)
    if row != len(found.market.panel.sessions) - 1:
        raise SessionError(f"session {session} is not the newest of what was read for it", "choose a trading session")
    return found.features(settings.calendar, own)


def known_input(
    settings: Settings, last: date, data: Path | None, universe_extra: Path | None, stored: str | None
) -> LearningInput:
    """Read bars, macro series and reports as known at the decision of ``last``; parameters as of `training_data`."""
    if stored is None and choose_source(None, data, settings).kind == CHAIN:
        stored = CHAIN
    if stored is None:
        return input_from_source(research_source(data, settings), settings, last, universe_extra)
    if data is not None or universe_extra is not None:
        raise InputError(
            f"rows of {stored} are read from the database, so the folder {data or universe_extra} would count for "
            "nothing",
            "leave one out",
        )
    # Imported here: a training on files or the simulated market needs no database library.
    from trading_lib.workflows.data.sources import market_store

    session = settings.calendar.session_before(last) if not settings.calendar.contains(last) else last
    return input_from_store(market_store(settings), stored, settings, session)
