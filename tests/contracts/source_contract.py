"""What every `MarketDataSource` must do. An implementation's test class inherits `SourceContract`."""

from __future__ import annotations

from datetime import date, datetime

import pandas as pd
import pytest

from trading_lib.domain.errors import NaiveDatetimeError
from trading_lib.domain.market.prices import BAR_COLUMNS, MACRO_COLUMNS
from trading_lib.market_data.source import MarketDataSource


class SourceContract:
    """Subclasses provide the fixture ``source`` and say what it has.

    Attributes
    ----------
    known
        Symbols the source has over the whole of ``first`` .. ``last``.
    unknown
        A symbol it does not have.
    as_of
        An instant at which every bar up to ``last`` is known.
    cut
        An instant between ``first`` and ``last``: some bars are known by then and some are not.
    """

    known: tuple[str, ...]
    unknown: str = "NOSUCH"
    first: date
    last: date
    as_of: datetime
    cut: datetime

    @pytest.fixture
    def source(self) -> MarketDataSource:
        raise NotImplementedError("a contract test class provides its source")

    def test_it_delivers_every_known_symbol(self, source: MarketDataSource) -> None:
        answer = source.bars(self.known, self.first, self.last, self.as_of)
        assert set(answer.bars.symbols) == set(self.known)
        assert not answer.failures

    def test_an_as_of_without_a_time_zone_is_refused(self, source: MarketDataSource) -> None:
        naive = self.as_of.replace(tzinfo=None)
        with pytest.raises(NaiveDatetimeError, match="as_of"):
            source.bars(self.known, self.first, self.last, naive)
        with pytest.raises(NaiveDatetimeError, match="as_of"):
            source.macro(self.first, self.last, naive)

    def test_nothing_is_delivered_before_it_was_known(self, source: MarketDataSource) -> None:
        everything = source.bars(self.known, self.first, self.last, self.as_of).bars.frame
        early = source.bars(self.known, self.first, self.last, self.cut).bars.frame
        known_by_then = everything[everything["available_at"] <= pd.Timestamp(self.cut)]
        assert 0 < len(early) < len(everything)
        pd.testing.assert_frame_equal(early, known_by_then.reset_index(drop=True))

    def test_a_bar_is_known_only_after_its_day_began(self, source: MarketDataSource) -> None:
        frame = source.bars(self.known, self.first, self.last, self.as_of).bars.frame
        assert (frame["available_at"] > frame["date"].dt.tz_localize("UTC")).all()

    def test_the_date_range_is_respected_at_both_ends(self, source: MarketDataSource) -> None:
        everything = source.bars(self.known, self.first, self.last, self.as_of).bars.frame
        days = sorted(everything["date"].unique())
        first, last = days[1].date(), days[-2].date()
        inner = source.bars(self.known, first, last, self.as_of).bars.frame
        expected = everything[(everything["date"] >= days[1]) & (everything["date"] <= days[-2])]
        pd.testing.assert_frame_equal(inner, expected.reset_index(drop=True))

    def test_every_symbol_is_in_the_bars_or_in_the_failures(self, source: MarketDataSource) -> None:
        asked = (*self.known, self.unknown)
        answer = source.bars(asked, self.first, self.last, self.as_of)
        assert set(answer.bars.symbols) | set(answer.failures) == set(asked)
        assert not set(answer.bars.symbols) & set(answer.failures)

    def test_one_bad_symbol_does_not_cost_the_others(self, source: MarketDataSource) -> None:
        alone = source.bars(self.known, self.first, self.last, self.as_of)
        mixed = source.bars((self.unknown, *self.known), self.first, self.last, self.as_of)
        pd.testing.assert_frame_equal(mixed.bars.frame, alone.bars.frame)
        assert list(mixed.failures) == [self.unknown]
        assert self.unknown in mixed.failures[self.unknown]
        assert "\n" not in mixed.failures[self.unknown]

    def test_a_typed_error_belongs_to_a_failure_and_says_the_same(self, source: MarketDataSource) -> None:
        answer = source.bars((self.unknown, *self.known), self.first, self.last, self.as_of)
        assert {symbol: str(error) for symbol, error in answer.errors.items()} == {
            symbol: answer.failures[symbol] for symbol in answer.errors
        }

    def test_a_range_without_bars_is_a_failure_of_each_symbol(self, source: MarketDataSource) -> None:
        answer = source.bars(self.known, date(1999, 5, 1), date(1999, 5, 2), self.as_of)
        assert len(answer.bars) == 0
        assert set(answer.failures) == set(self.known)

    def test_rows_are_sorted_and_unique(self, source: MarketDataSource) -> None:
        frame = source.bars(tuple(reversed(self.known)), self.first, self.last, self.as_of).bars.frame
        assert not frame.duplicated(["symbol", "date"]).any()
        ordered = frame.sort_values(["symbol", "date"], ignore_index=True)
        pd.testing.assert_frame_equal(frame, ordered)

    def test_columns_have_the_declared_types(self, source: MarketDataSource) -> None:
        frame = source.bars(self.known, self.first, self.last, self.as_of).bars.frame
        assert {name: str(kind) for name, kind in frame.dtypes.items()} == BAR_COLUMNS
        macro = source.macro(self.first, self.last, self.as_of).frame
        assert {name: str(kind) for name, kind in macro.dtypes.items()} == MACRO_COLUMNS

    def test_asking_twice_gives_the_same_answer(self, source: MarketDataSource) -> None:
        one = source.bars(self.known, self.first, self.last, self.as_of)
        two = source.bars(self.known, self.first, self.last, self.as_of)
        pd.testing.assert_frame_equal(one.bars.frame, two.bars.frame)
        assert one.failures == two.failures

    def test_asking_for_a_symbol_twice_delivers_it_once(self, source: MarketDataSource) -> None:
        answer = source.bars((self.known[0], self.known[0]), self.first, self.last, self.as_of)
        assert not answer.bars.frame.duplicated(["symbol", "date"]).any()

    def test_rows_carry_the_name_of_the_source(self, source: MarketDataSource) -> None:
        frame = source.bars(self.known, self.first, self.last, self.as_of).bars.frame
        assert set(frame["source"]) == {source.name}
        assert set(frame["adjustment"]) <= {"raw", "split"}

    def test_macro_observations_are_known_a_day_later_at_the_earliest(self, source: MarketDataSource) -> None:
        frame = source.macro(self.first, self.last, self.as_of).frame
        delay = frame["available_at"] - frame["date"].dt.tz_localize("UTC")
        assert (delay >= pd.Timedelta(days=1)).all()
        early = source.macro(self.first, self.last, self.cut).frame
        pd.testing.assert_frame_equal(
            early, frame[frame["available_at"] <= pd.Timestamp(self.cut)].reset_index(drop=True)
        )
