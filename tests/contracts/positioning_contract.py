"""What every `PositioningSource` must do. An implementation's test class inherits `PositioningContract`."""

from __future__ import annotations

from datetime import date, datetime

import pandas as pd
import pytest

from trading_lib.domain.errors import NaiveDatetimeError
from trading_lib.domain.market.positioning import COT_COLUMNS
from trading_lib.market_data.source import PositioningSource


class PositioningContract:
    """Subclasses provide the fixture ``source`` with at least three weekly reports after ``first`` and until ``last``.

    Attributes
    ----------
    cut
        An instant at which some of them are published and some are not.
    """

    first: date
    last: date
    as_of: datetime
    cut: datetime

    @pytest.fixture
    def source(self) -> PositioningSource:
        raise NotImplementedError("a contract test class provides its source")

    def test_columns_have_the_declared_types(self, source: PositioningSource) -> None:
        frame = source.cot(self.first, self.last, self.as_of).frame
        assert {name: str(kind) for name, kind in frame.dtypes.items()} == COT_COLUMNS
        assert set(frame["source"]) == {source.name}
        empty = source.cot(self.first, self.first, self.as_of).frame
        assert len(empty) == 0
        assert {name: str(kind) for name, kind in empty.dtypes.items()} == COT_COLUMNS

    def test_nothing_is_delivered_before_it_was_published(self, source: PositioningSource) -> None:
        everything = source.cot(self.first, self.last, self.as_of).frame
        early = source.cot(self.first, self.last, self.cut).frame
        expected = everything[everything["available_at"] <= pd.Timestamp(self.cut)].reset_index(drop=True)
        assert 0 < len(early) < len(everything)
        pd.testing.assert_frame_equal(early, expected)

    def test_a_report_comes_out_days_after_its_date(self, source: PositioningSource) -> None:
        frame = source.cot(self.first, self.last, self.as_of).frame
        assert (frame["available_at"] - frame["report_date"].dt.tz_localize("UTC") >= pd.Timedelta(days=3)).all()

    def test_the_range_of_report_dates_is_respected_at_both_ends(self, source: PositioningSource) -> None:
        everything = source.cot(self.first, self.last, self.as_of).frame
        days = sorted(everything["report_date"].unique())
        inner = source.cot(days[1].date(), days[1].date(), self.as_of).frame
        assert len(inner)
        assert set(inner["report_date"]) == {days[1]}

    def test_rows_are_sorted_and_unique(self, source: PositioningSource) -> None:
        frame = source.cot(self.first, self.last, self.as_of).frame
        key = ["report", "market", "report_date"]
        assert not frame.duplicated(key).any()
        pd.testing.assert_frame_equal(frame, frame.sort_values(key, ignore_index=True))

    def test_an_as_of_without_a_time_zone_is_refused(self, source: PositioningSource) -> None:
        with pytest.raises(NaiveDatetimeError, match="as_of"):
            source.cot(self.first, self.last, self.as_of.replace(tzinfo=None))
