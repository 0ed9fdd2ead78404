"""Cache tiers in order: the nearest tier with an answer returns it and fills the tiers before it."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from trading_lib.adapters.cache.answers import CachedAnswer
from trading_lib.domain.errors import CacheTierError, UnreadableAnswerError


class CacheTier(Protocol):
    """A place that remembers answers."""

    @property
    def name(self) -> str:
        """For messages, e.g. "redis"."""

    def get(self, key: str, as_of: datetime) -> CachedAnswer | None:
        """Answer to ``key``, preferably one that was given at ``as_of`` or later; None when there is none.

        Raises `CacheTierError` when the tier cannot be used now.
        """

    def put(self, key: str, cached: CachedAnswer) -> None:
        """Remember an answer; raises like `get`."""


class MemoryTier:
    """The most recently used answers of this process.

    Parameters
    ----------
    capacity
        Number of answers; one more drops the least recently used.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._answers: OrderedDict[str, CachedAnswer] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        """Always "memory"."""
        return "memory"

    def __len__(self) -> int:
        return len(self._answers)

    def get(self, key: str, as_of: datetime) -> CachedAnswer | None:
        """Return the answer and count it as used; see `CacheTier.get`."""
        with self._lock:
            if key not in self._answers:
                return None
            self._answers.move_to_end(key)
            return self._answers[key]

    def put(self, key: str, cached: CachedAnswer) -> None:
        """Remember an answer; see `CacheTier.put`."""
        with self._lock:
            self._answers[key] = cached
            self._answers.move_to_end(key)
            while len(self._answers) > self._capacity:
                self._answers.popitem(last=False)


class TieredCache:
    """Tiers from the nearest to the farthest.

    A tier that fails is left alone for the rest of the process: a cache that is down must cost one time-out, not one
    per symbol, and never a price.

    Attributes
    ----------
    problems
        Tier -> why it is left alone, in one line.
    """

    def __init__(self, tiers: Sequence[CacheTier]) -> None:
        self._tiers = tuple(tiers)
        self.problems: dict[str, str] = {}

    def get(self, key: str, as_of: datetime) -> CachedAnswer | None:
        """Answer of the nearest tier that has one; it is copied to the nearer tiers with its own retrieval time."""
        passed: list[CacheTier] = []
        for tier in self._tiers:
            cached = self._from_tier(tier, key, as_of)
            if cached is not None:
                for nearer in passed:
                    self._to_tier(nearer, key, cached)
                return cached
            passed.append(tier)
        return None

    def put(self, key: str, cached: CachedAnswer) -> None:
        """Remember an answer in every tier."""
        for tier in self._tiers:
            self._to_tier(tier, key, cached)

    def _from_tier(self, tier: CacheTier, key: str, as_of: datetime) -> CachedAnswer | None:
        if tier.name in self.problems:
            return None
        try:
            return tier.get(key, as_of)
        except UnreadableAnswerError:
            return None
        except CacheTierError as error:
            self.problems[tier.name] = str(error)
            return None

    def _to_tier(self, tier: CacheTier, key: str, cached: CachedAnswer) -> None:
        if tier.name in self.problems:
            return
        try:
            tier.put(key, cached)
        except CacheTierError as error:
            self.problems[tier.name] = str(error)
