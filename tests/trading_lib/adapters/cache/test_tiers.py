"""Memory and database tiers, and the row of tiers."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from tests.contracts.tier_contract import NEWER, NOW, OLDER, TierContract
from tests.environment.free_port import free_port
from tests.environment.moving_clock import MovingClock
from trading_lib.adapters.cache.answers import CachedAnswer
from trading_lib.adapters.cache.database_tier import DatabaseTier
from trading_lib.adapters.cache.redis_tier import RedisTier
from trading_lib.adapters.cache.remote import open_remote_tier
from trading_lib.adapters.cache.tiers import CacheTier, MemoryTier, TieredCache
from trading_lib.domain.errors import ConfigurationError


class TestMemoryTier(TierContract):
    @pytest.fixture
    def tier(self) -> CacheTier:
        return MemoryTier(100)


@pytest.mark.postgres
class TestDatabaseTier(TierContract):
    @pytest.fixture
    def tier(self, engine: Engine) -> CacheTier:
        return DatabaseTier(engine, lambda: NOW, 30)


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), max_size=60))
def test_memory_drops_the_least_recently_used(steps: list[tuple[bool, int]]) -> None:
    tier, recent = MemoryTier(3), list[str]()
    for put, number in steps:
        key = str(number)
        if put:
            tier.put(key, NEWER)
        found = tier.get(key, NOW)
        assert (found is not None) == (put or key in recent)
        if found is not None:
            recent = [*(other for other in recent if other != key), key][-3:]
    assert len(tier) == len(recent)


@pytest.mark.postgres
def test_the_database_keeps_every_retrieval_and_prefers_the_earliest_that_covers_the_question(engine: Engine) -> None:
    tier = DatabaseTier(engine, lambda: NOW, 30)
    for answer in (NEWER, OLDER):
        tier.put("key", answer)
    assert tier.get("key", OLDER.as_of) == OLDER
    assert tier.get("key", OLDER.as_of + timedelta(seconds=1)) == NEWER
    assert tier.get("key", NOW) == NEWER


@pytest.mark.postgres
def test_the_database_forgets_after_the_retention(engine: Engine) -> None:
    clock = MovingClock(NOW)
    tier = DatabaseTier(engine, clock, 30)
    tier.put("key", OLDER)
    clock.advance(29 * 86_400)
    assert tier.get("key", NOW) == OLDER
    clock.advance(86_400)
    assert tier.get("key", NOW) is None
    tier.put("other", CachedAnswer(clock.now, clock.now, b""))
    with engine.connect() as connection:
        assert connection.execute(text("SELECT request FROM raw_responses")).scalars().all() == ["other"]


def test_a_far_answer_is_copied_nearer_with_its_own_time() -> None:
    near, far = MemoryTier(5), MemoryTier(5)
    far.put("key", OLDER)
    cache = TieredCache([near, far])
    assert cache.get("key", NOW) == OLDER
    assert near.get("key", NOW) == OLDER
    near.put("key", NEWER)
    assert cache.get("key", NOW) == NEWER
    assert far.get("key", NOW) == OLDER


def test_an_answer_is_put_into_every_tier() -> None:
    tiers = [MemoryTier(5), MemoryTier(5)]
    TieredCache(tiers).put("key", OLDER)
    assert [tier.get("key", NOW) for tier in tiers] == [OLDER, OLDER]


def test_a_tier_that_is_down_costs_nothing_but_a_line() -> None:
    down = RedisTier(f"redis://:hunter2@127.0.0.1:{free_port(1)}/0", 30)
    memory = MemoryTier(5)
    cache = TieredCache([memory, down])
    assert cache.get("key", NOW) is None
    cache.put("key", OLDER)
    assert cache.get("key", NOW) == OLDER
    assert list(cache.problems) == ["redis"]
    assert "hunter2" not in str(cache.problems)
    assert "\n" not in cache.problems["redis"]


@pytest.mark.parametrize("url", ["memcached://user:hunter2@host", "s3:///prefix", "redis://hunter2@host:port/0", "x"])
def test_an_address_of_another_kind_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        open_remote_tier(url, 30, lambda: NOW)
    assert "hunter2" not in str(caught.value)


def test_without_an_address_there_is_no_remote_tier() -> None:
    assert open_remote_tier(None, 30, lambda: NOW) is None
