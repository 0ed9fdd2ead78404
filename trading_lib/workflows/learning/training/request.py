"""What a training is asked for: `TrainingRequest`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from trading_lib.domain.errors import InputError
from trading_lib.learning.config import LearningConfig, Window

# Ranks, scores and correlations within a session are among all assets in such a training, of the universe later.
EXPERIMENT = "an experiment with further assets, never registered: prediction ranks the universe alone"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRequest:
    """A training.

    Attributes
    ----------
    first, last
        Sessions that are learned from; a label that would end after the last one is not learned.
    data
        Folder of prices; None for the configured default.
    window
        In place of the configured one.
    universe_extra
        Folder of further assets to learn from; nothing of it is registered, see `EXPERIMENT`.
    register
        Register what passes, where MLflow can be reached.
    leave_out
        Features that are not learned from, besides those the configuration leaves out.
    processes
        How many splits are fitted at once; None for one per core.
    """

    first: date
    last: date
    data: Path | None = None
    window: Window | None = None
    universe_extra: Path | None = None
    register: bool = True
    leave_out: tuple[str, ...] = ()
    processes: int | None = None

    @property
    def may_register(self) -> bool:
        """Whether what passes is registered: when asked to, and when a prediction sees what was learned from."""
        return self.register and self.universe_extra is None

    @property
    def notes(self) -> tuple[str, ...]:
        """What the report says of the request itself."""
        return (EXPERIMENT,) if self.universe_extra else ()

    def check(self) -> None:
        """Refuse what makes no sense.

        Raises
        ------
        InputError
            When the window is inverted or a folder is none.
        """
        if self.first > self.last:
            raise InputError(f"the window {self.first} to {self.last} is inverted", "swap the two dates")
        for option, folder in (("--data", self.data), ("--universe-extra", self.universe_extra)):
            if folder is not None and not folder.is_dir():
                problem = "is not a folder" if folder.exists() else "does not exist"
                raise InputError(f"{option} names {folder}, which {problem}", "give a folder of CSV or Parquet prices")

    def configuration(self, configured: LearningConfig) -> LearningConfig:
        """Return the configuration with what was asked for: the window, and features that are left out."""
        changes: dict[str, Any] = {} if self.window is None else {"window": self.window}
        if self.leave_out:
            changes["leave_out"] = tuple(sorted({*configured.leave_out, *self.leave_out}))
        return configured.model_copy(update=changes) if changes else configured

    def record(self) -> Mapping[str, Any]:
        """Plain values, as the registry keeps them."""
        return {
            "from": str(self.first),
            "to": str(self.last),
            "data": str(self.data) if self.data else None,
            "window": str(self.window) if self.window else None,
            "universe_extra": str(self.universe_extra) if self.universe_extra else None,
        }
