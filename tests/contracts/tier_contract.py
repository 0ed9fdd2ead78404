"""What every tier of the cache must do. A test class inherits it and provides the fixture ``tier``."""

from __future__ import annotations

import pytest

from tests.builders.prices import instant
from trading_lib.adapters.cache.answers import CachedAnswer
from trading_lib.adapters.cache.tiers import CacheTier

NOW = instant("2024-03-08 22:00")
OLDER = CachedAnswer(instant("2024-03-07 22:00"), instant("2024-03-07 22:00"), b"older")
NEWER = CachedAnswer(instant("2024-03-08 21:59"), instant("2024-03-08 21:59"), b"new\x00er")


class TierContract:
    @pytest.fixture
    def tier(self) -> CacheTier:
        raise NotImplementedError

    def test_an_unknown_key_has_no_answer(self, tier: CacheTier) -> None:
        assert tier.get("bars/tiingo/SPY", NOW) is None

    def test_an_answer_keeps_body_and_times(self, tier: CacheTier) -> None:
        tier.put("bars/tiingo/SPY", NEWER)
        tier.put("bars/tiingo/GLD", OLDER)
        assert tier.get("bars/tiingo/SPY", NOW) == NEWER
        assert tier.get("bars/tiingo/GLD", NOW) == OLDER

    def test_a_later_answer_takes_the_place_of_an_earlier_one(self, tier: CacheTier) -> None:
        tier.put("bars/tiingo/SPY", OLDER)
        tier.put("bars/tiingo/SPY", NEWER)
        assert tier.get("bars/tiingo/SPY", NOW) == NEWER

    def test_putting_twice_changes_nothing(self, tier: CacheTier) -> None:
        tier.put("bars/tiingo/SPY", NEWER)
        tier.put("bars/tiingo/SPY", NEWER)
        assert tier.get("bars/tiingo/SPY", NOW) == NEWER
