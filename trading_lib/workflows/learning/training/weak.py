"""Which features a scheduled training leaves out: those of little importance in the two trainings before it.

A training by hand leaves out what learning.yaml says alone, and so lets the others come back.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from trading_lib.domain.errors import TradingError
from trading_lib.learning.lifecycle.importances import weak_features
from trading_lib.learning.models.baselines import MOMENTUM

if TYPE_CHECKING:
    from trading_lib.workflows.setup.settings import Settings

LOG = logging.getLogger(__name__)


def weak_twice(settings: Settings) -> tuple[str, ...]:
    """Features below `lifecycle.least_share` in both of the newest trainings, and those the newest one left out.

    None without two trainings, or a database to ask.
    """
    from sqlalchemy.exc import SQLAlchemyError

    from trading_lib.adapters.stores.learning.model_store import ModelStore

    try:
        newest = ModelStore(settings.engine()).trainings(2)
    except (SQLAlchemyError, TradingError) as error:
        LOG.warning("no feature is left out: earlier trainings cannot be read: %s", str(error).splitlines()[0])
        return ()
    if len(newest) < 2:
        return ()
    latest, earlier = (largest_shares(training.report) for training in newest)
    weak = set(weak_features(earlier, latest, settings.configuration.learning.lifecycle))
    weak |= set(newest[0].configuration.get("leave_out", ()))
    return tuple(sorted(weak - {MOMENTUM}))


def largest_shares(report: Mapping[str, Any]) -> dict[str, float]:
    """Feature -> its largest share in any model of a training's report; {} where it holds none."""
    shares: dict[str, float] = {}
    for model in report.get("models", {}).values():
        for feature, share in (model.get("importance") or {}).items():
            shares[feature] = max(share, shares.get(feature, 0.0))
    return dict(sorted(shares.items()))
