"""`rulings.yaml` of a data folder: what was decided about suspected splits. Input: folder. Output: `PriceRuling`s.

::

    - symbol: XLK
      session: 2016-06-15       # first session at the new level
      split: 2                  # new shares per old share, or real_move: true
      note: announced by the issuer on 2016-05-20
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from trading_lib.adapters.sources.files.folder_lists import read_list
from trading_lib.domain.errors import DataFileError
from trading_lib.domain.market.price_rulings import PriceRuling

RULINGS_NAME = "rulings.yaml"


class _Entry(BaseModel):
    """One decision as it is written."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    symbol: str = Field(min_length=1)
    session: date
    split: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    real_move: bool = False
    note: str = ""

    @model_validator(mode="after")
    def _one_of_both(self) -> _Entry:
        if (self.split is None) != self.real_move:
            raise ValueError("give either split: RATIO or real_move: true")
        if self.split == 1:
            raise ValueError("a split of 1 is none")
        return self


def read_rulings(folder: Path) -> tuple[PriceRuling, ...]:
    """Read the decisions kept in ``folder``; none without the file.

    Raises
    ------
    DataFileError
        Broken YAML, an unknown key, a missing or impossible value; the message names the entry.
    """
    path = folder / RULINGS_NAME
    return tuple(_ruling(path, number, item) for number, item in enumerate(read_list(path), start=1))


def _ruling(path: Path, number: int, item: Any) -> PriceRuling:
    try:
        entry = _Entry.model_validate(item)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        raise DataFileError(
            f"{path}: entry {number}{f', {field}' if field else ''}: {first['msg']}",
            "write symbol, session, split or real_move, and a note",
        ) from None
    return PriceRuling(entry.symbol, entry.session, entry.split, entry.note)
