"""Configuration of the log: include/config/logging.yaml."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from trading_lib.domain.configuration import Configuration

Level = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]


class LogConfig(Configuration):
    """logging.yaml.

    Attributes
    ----------
    level
        Least important lines of this project that are kept; of libraries warnings and worse.
    max_megabytes
        Size at which a file is put aside and a new one begun.
    keep_files, keep_days
        Files put aside are deleted when there are more of them, or when they are older.
    """

    level: Level = "INFO"
    max_megabytes: float = Field(default=10, gt=0, le=10_000)
    keep_files: int = Field(default=20, ge=1, le=10_000)
    keep_days: int = Field(default=90, ge=1, le=36_500)
