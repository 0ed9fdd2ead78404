"""What every `FundingSource` must do. An implementation's test class inherits `FundingContract`."""

from __future__ import annotations

from datetime import date, datetime

import pandas as pd
import pytest

from trading_lib.domain.errors import NaiveDatetimeError
from trading_lib.domain.market.positioning import FUNDING_COLUMNS
from trading_lib.market_data.source import FundingSource


class FundingContract:
    """Subclasses provide the fixture ``funding_source`` with rates of ``contract`` on every day from first to last.

    Attributes
    ----------
    settled
        An instant between two settlements within the range.
    """

    contract: str = "BTC-USDT"
    unknown_contract: str = "NOSUCH-USDT"
    first_day: date
    last_day: date
    later: datetime
    settled: datetime

    @pytest.fixture
    def funding_source(self) -> FundingSource:
        raise NotImplementedError("a contract test class provides its source")

    def frame(self, source: FundingSource) -> pd.DataFrame:
        answer = source.funding((self.contract,), self.first_day, self.last_day, self.later)
        assert not answer.failures
        return answer.rates.frame

    def test_columns_have_the_declared_types(self, funding_source: FundingSource) -> None:
        frame = self.frame(funding_source)
        assert len(frame) > 5
        assert {name: str(kind) for name, kind in frame.dtypes.items()} == FUNDING_COLUMNS
        assert set(frame["source"]) == {funding_source.name}

    def test_a_rate_is_known_at_its_settlement(self, funding_source: FundingSource) -> None:
        frame = self.frame(funding_source)
        assert (frame["available_at"] == frame["settled_at"]).all()
        early = funding_source.funding((self.contract,), self.first_day, self.last_day, self.settled).rates.frame
        expected = frame[frame["settled_at"] <= pd.Timestamp(self.settled)].reset_index(drop=True)
        assert 0 < len(expected) < len(frame)
        pd.testing.assert_frame_equal(early, expected)

    def test_intervals_do_not_depend_on_the_window(self, funding_source: FundingSource) -> None:
        frame = self.frame(funding_source)
        narrow = funding_source.funding((self.contract,), self.last_day, self.last_day, self.later).rates.frame
        expected = frame[frame["settled_at"] >= pd.Timestamp(self.last_day, tz="UTC")].reset_index(drop=True)
        assert len(expected)
        pd.testing.assert_frame_equal(narrow, expected)
        assert expected["interval_hours"].notna().all()

    def test_rows_are_sorted_and_unique(self, funding_source: FundingSource) -> None:
        frame = self.frame(funding_source)
        key = ["venue", "symbol", "settled_at"]
        assert not frame.duplicated(key).any()
        pd.testing.assert_frame_equal(frame, frame.sort_values(key, ignore_index=True))

    def test_an_unknown_contract_costs_only_itself(self, funding_source: FundingSource) -> None:
        alone = self.frame(funding_source)
        asked = (self.unknown_contract, self.contract, self.contract)
        mixed = funding_source.funding(asked, self.first_day, self.last_day, self.later)
        pd.testing.assert_frame_equal(mixed.rates.frame, alone)
        assert list(mixed.failures) == [self.unknown_contract]
        assert self.unknown_contract in mixed.failures[self.unknown_contract]
        assert "\n" not in mixed.failures[self.unknown_contract]

    def test_an_as_of_without_a_time_zone_is_refused(self, funding_source: FundingSource) -> None:
        with pytest.raises(NaiveDatetimeError, match="as_of"):
            funding_source.funding((self.contract,), self.first_day, self.last_day, self.later.replace(tzinfo=None))
