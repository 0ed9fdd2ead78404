"""Raw observations with the instants they became available, and two ways to truncate them at a decision.

Input of the audits: what sources delivered, before validation, adjustment and factors, so that lookahead in any of
these shows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime

import numpy as np
import pandas as pd

from trading_lib.domain.market.prices import BoolArray, DateArray

BARS = "bars"
OPENED = "opened bars"
MACRO = "macro"
FUNDING = "funding"

PRICES = ("open", "high", "low", "close")
# How far prices are moved: far enough to change any decision, not so far that all of them are set aside as errors.
SCRAMBLE = 0.08
# A year's dividends in a few days, and a split: any backward adjustment of prices shows.
SCRAMBLED_DIVIDEND = 0.02
SCRAMBLED_SPLIT = 2.0


@dataclass(frozen=True, slots=True)
class RawHistory:
    """Everything sources delivered.

    Attributes
    ----------
    frames
        By kind: `BARS` with the columns of `BAR_COLUMNS`, `MACRO` with those of `MACRO_COLUMNS`, and any other
        observations in long form, such as `FUNDING` or the bars of second opinions. Each has a column
        ``available_at``, timezone-aware. `OPENED` holds bars that have opened and are not complete; nothing but their
        open is known.
    always_open
        Symbols that trade around the clock: their bar opens at 00:00 UTC, so a decision knows an unfinished one's open.
    """

    frames: Mapping[str, pd.DataFrame]
    always_open: tuple[str, ...] = ()

    def known_at(self, moment: datetime) -> RawHistory:
        """Cut off what became known after ``moment``."""
        frames = {
            kind: frame[(frame["available_at"] <= pd.Timestamp(moment)).to_numpy(dtype=bool)].reset_index(drop=True)
            for kind, frame in self.frames.items()
            if kind != OPENED
        }
        frames[OPENED] = self._opened(moment)
        return replace(self, frames=frames)

    def since(self, day: date) -> RawHistory:
        """Cut off bars before ``day`` and what was available before it, as if data collection had begun then."""
        begun = pd.Timestamp(day)
        frames = {}
        for kind, frame in self.frames.items():
            kept = frame["date"] >= begun if _is_bars(frame) else frame["available_at"] >= begun.tz_localize("UTC")
            frames[kind] = frame[kept.to_numpy(dtype=bool)].reset_index(drop=True)
        return replace(self, frames=frames)

    def scrambled_after(
        self, moment: datetime, until: datetime, seed: int, kept_openings: DateArray | None = None
    ) -> RawHistory:
        """Replace what became known after ``moment`` by garbage, and drop what became known after ``until``.

        Bars stay plausible (high above low, a few percent away from the truth), so that validation accepts them:
        lookahead must change a result instead of raising an error.

        Parameters
        ----------
        kept_openings
            Two dates: bars from the first to the second keep their open, dividend and split, which is what an order
            meets at the next opening.
        """
        generator = np.random.default_rng(seed)
        kept = self.known_at(until)
        scramble = _PriceScramble([frame for frame in kept.frames.values() if _is_bars(frame)], generator)
        frames = {}
        for kind, frame in kept.frames.items():
            later = (frame["available_at"] > pd.Timestamp(moment)).to_numpy(dtype=bool)
            if not _is_bars(frame):
                frames[kind] = _scramble_numbers(frame, later, generator)
                continue
            days = frame["date"].to_numpy().astype("datetime64[D]")
            opened = self._has_opened(frame, moment)
            if kept_openings is not None:
                opened |= (days >= kept_openings[0]) & (days <= kept_openings[1])
            frames[kind] = scramble.apply(frame, later, later & opened)
        return replace(self, frames=frames)

    def _opened(self, moment: datetime) -> pd.DataFrame:
        frame = self.frames[BARS]
        incomplete = (frame["available_at"] > pd.Timestamp(moment)).to_numpy(dtype=bool)
        rows = frame[incomplete & self._has_opened(frame, moment)].reset_index(drop=True)
        opened: pd.DataFrame = rows.assign(high=np.nan, low=np.nan, close=np.nan, adj_close=np.nan, volume=np.nan)
        return opened

    def _has_opened(self, frame: pd.DataFrame, moment: datetime) -> BoolArray:
        around_the_clock = frame["symbol"].isin(self.always_open).to_numpy(dtype=bool)
        begun = frame["date"].to_numpy() <= pd.Timestamp(moment).tz_convert(None).to_datetime64()
        opened: BoolArray = around_the_clock & begun
        return opened


def _is_bars(frame: pd.DataFrame) -> bool:
    return "close" in frame.columns


class _PriceScramble:
    """One factor per symbol and day, the same for every source, so that no second source reveals it."""

    def __init__(self, frames: list[pd.DataFrame], generator: np.random.Generator) -> None:
        keys = pd.concat([frame[["symbol", "date"]] for frame in frames]).drop_duplicates()
        count = len(keys)
        # Never nearer to the truth than half the size, or an opening might be the same to the cent.
        size = generator.uniform(SCRAMBLE / 2, SCRAMBLE, count) * generator.choice([-1.0, 1.0], count)
        self._draws = keys.assign(
            factor=np.exp(size), paying=generator.random(count) < 0.2, splitting=generator.random(count) < 0.05
        )

    def apply(self, frame: pd.DataFrame, later: BoolArray, opened: BoolArray) -> pd.DataFrame:
        """Scramble the rows in ``later``; of those in ``opened`` the opening stays true."""
        draws = frame[["symbol", "date"]].merge(self._draws, how="left", on=["symbol", "date"])
        numbers = {name: frame[name].to_numpy(dtype=np.float64, copy=True) for name in _numbers(frame)}
        true_open = numbers["open"].copy()
        factor = np.where(later, draws["factor"].to_numpy(np.float64), 1.0)
        for name in (*PRICES, "adj_close", "volume"):
            numbers[name] *= factor
        free = later & ~opened
        paying, splitting = (free & draws[name].to_numpy(dtype=bool) for name in ("paying", "splitting"))
        numbers["dividend"][paying] = numbers["close"][paying] * SCRAMBLED_DIVIDEND
        numbers["split"][splitting] = SCRAMBLED_SPLIT
        numbers["open"][opened] = true_open[opened]
        numbers["high"][opened] = np.fmax(numbers["high"], true_open)[opened]
        numbers["low"][opened] = np.fmin(numbers["low"], true_open)[opened]
        return frame.assign(**numbers)


def _scramble_numbers(frame: pd.DataFrame, later: BoolArray, generator: np.random.Generator) -> pd.DataFrame:
    numbers = {}
    for name in _numbers(frame):
        values = frame[name].to_numpy(dtype=np.float64, copy=True)
        values[later] = values[later] * generator.uniform(1.5, 3.0, int(later.sum())) + generator.normal(0, 0.01)
        numbers[name] = values
    return frame.assign(**numbers)


def _numbers(frame: pd.DataFrame) -> list[str]:
    return [str(name) for name in frame.select_dtypes("float64").columns]
