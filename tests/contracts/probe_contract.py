"""What every `Probe` must do. A test class inherits `ProbeContract` and says what is well and what is not."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from trading_lib.domain.market.sessions import exchange_sessions
from trading_lib.monitoring.heartbeat import HeartbeatConfig
from trading_lib.monitoring.probe import Finding, Probe, ProbeContext


def make_context(home: Path, **given: Any) -> ProbeContext:
    """A context without a database, unless ``query`` is given."""

    def no_rows(statement: str, **values: Any) -> Sequence[Sequence[Any]]:
        return []

    values: dict[str, Any] = {
        "now": datetime(2026, 11, 20, 22, 30, tzinfo=UTC),
        "calendar": exchange_sessions(),
        "query": no_rows,
        "home": home,
        "environment": {},
        "config": HeartbeatConfig(),
    }
    return ProbeContext(**{**values, **given})


class ProbeContract(ABC):
    """Inherit it, and answer the two questions below."""

    seconds = 5.0

    @abstractmethod
    @pytest.fixture
    def well(self) -> tuple[Probe, ProbeContext]:
        """A probe, and a context in which all is well."""

    @abstractmethod
    @pytest.fixture
    def ill(self) -> tuple[Probe, ProbeContext]:
        """A probe, and a context in which something is wrong."""

    def test_it_is_a_probe(self, well: tuple[Probe, ProbeContext]) -> None:
        assert isinstance(well[0], Probe)

    def test_it_is_silent_where_all_is_well(self, well: tuple[Probe, ProbeContext]) -> None:
        probe, context = well
        assert list(probe.check(context)) == []

    def test_it_finds_what_is_wrong_in_words(self, ill: tuple[Probe, ProbeContext]) -> None:
        probe, context = ill
        found = list(probe.check(context))
        assert found
        for finding in found:
            assert isinstance(finding, Finding)
            assert finding.key
            assert finding.text
            assert len(finding.title.splitlines()) == 1

    def test_the_same_fault_has_the_same_key_at_every_look(self, ill: tuple[Probe, ProbeContext]) -> None:
        probe, context = ill
        keys = [[finding.key for finding in probe.check(context)] for _ in range(2)]
        assert keys[0] == keys[1]
        assert len(set(keys[0])) == len(keys[0])

    def test_it_answers_soon(self, ill: tuple[Probe, ProbeContext]) -> None:
        probe, context = ill
        began = time.monotonic()
        list(probe.check(context))
        assert time.monotonic() - began < self.seconds
