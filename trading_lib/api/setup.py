"""What a run is asked for -> the settings it runs by: those of the command line with the caller's values in them."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from trading_lib.adapters.user_code.files import OwnStrategy
from trading_lib.api.overrides import SLEEVES, plain, point_of
from trading_lib.api.strategies import StrategyLike, sleeves_of
from trading_lib.domain.errors import ConfigurationError
from trading_lib.workflows.research.sweep.grid import GridPoint, configuration_at
from trading_lib.workflows.setup.settings import Settings, configuration_folder, load_settings

# One run at a time in a process: strategies are registered by their names, and what is watched, limited and kept of
# one belongs to the run. Other threads wait; processes run beside each other.
RUNNING = threading.RLock()


@dataclass(frozen=True, slots=True)
class Setup:
    """A configuration that can be made again.

    Attributes
    ----------
    point
        Dotted keys with the caller's values, the sleeves among them.
    given
        See `Sleeves`.
    """

    point: GridPoint
    given: Mapping[str, OwnStrategy]

    @classmethod
    def of(
        cls, strategy: StrategyLike = None, config: Mapping[str, Any] | None = None, initial_cash: Any = None
    ) -> Setup:
        """Read the arguments that `trading_lib.backtest` and its siblings share."""
        point, sleeves = point_of({} if config is None else config, initial_cash), sleeves_of(strategy)
        if not sleeves.values:
            return cls(point, sleeves.given)
        if any(key == SLEEVES or key.startswith(f"{SLEEVES}.") for key in point.values):
            raise ConfigurationError(f"strategy and config's {SLEEVES} both name sleeves", "leave one out")
        values = {**point.values, SLEEVES: plain(sleeves.values, "strategy")}
        return cls(replace(point, values=values), sleeves.given)

    def settings(self) -> Settings:
        """Assemble the settings, and make the caller's strategies known for the run that follows."""
        settings, environment = load_settings(), dict(os.environ)
        if not self.point.values:
            return settings
        folder = configuration_folder(environment)
        return replace(settings, configuration=configuration_at(self.point, folder, environment, self.given))
