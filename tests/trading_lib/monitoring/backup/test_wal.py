"""Which base backup a time needs, where the log has a gap, and what may go."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from trading_lib.monitoring.backup.wal import BaseBackup, WalConfig, base_for, expired, first_gap, position

NOW = datetime(2026, 11, 20, 22, 0, tzinfo=UTC)


def name(number: int) -> str:
    return f"00000001{number // 256:08X}{number % 256:08X}"


def base(days_ago: float, first: int) -> BaseBackup:
    ended = NOW - timedelta(days=days_ago)
    return BaseBackup(f"{ended:%Y%m%d%H}", "1-00000001", ended, ended, name(first), 1, "18.4", {})


def test_positions_are_read_as_bytes() -> None:
    assert position("0/16B3748") == 0x16B3748
    assert position("2/10") == 2 * 2**32 + 16


@pytest.mark.parametrize(
    ("numbers", "gap"),
    [
        ([3, 4, 5], None),
        ([2, 3, 4], None),
        ([3], None),
        ([254, 3, 255, *range(4, 254), 256, 257], None),
        ([3, 4, 6], name(4)),
        ([4, 5], ""),
        ([], ""),
    ],
)
def test_a_gap_is_found_behind_the_file_before_it(numbers: list[int], gap: str | None) -> None:
    assert first_gap([name(number) for number in numbers], name(3)) == gap


def test_the_newest_base_that_was_complete_by_then_is_chosen() -> None:
    bases = [base(3, 1), base(2, 5), base(1, 9)]
    assert base_for(bases, None) == bases[2]
    assert base_for(bases, NOW - timedelta(days=2)) == bases[1]
    assert base_for(bases, NOW - timedelta(days=2, microseconds=1)) == bases[0]
    assert base_for(bases, NOW - timedelta(days=4)) is None


def test_what_the_last_days_need_stays_with_its_log() -> None:
    bases = [base(10, 1), base(8, 4), base(6, 7), base(1, 20)]
    gone = expired(bases, [name(number) for number in range(1, 25)], NOW, 7, is_current=True)
    # From the one eight days ago the times of seven days ago are reached.
    assert gone.bases == (bases[0],)
    assert gone.segments == (name(1), name(2), name(3))


def test_a_clock_that_is_ahead_costs_no_base_that_is_in_use() -> None:
    bases = [base(4, 1), base(3, 4), base(2, 7), base(1, 9)]
    gone = expired(bases, [name(1), name(4), name(9)], NOW + timedelta(days=4000), 7, is_current=True)
    assert gone.bases == (bases[0],)
    assert gone.segments == (name(1),)


def test_a_line_that_is_over_goes_altogether_when_it_is_old_enough() -> None:
    old, segments = [base(30, 1), base(20, 4)], [name(1), name(4)]
    gone = expired(old, segments, NOW, 7, is_current=False)
    assert gone.bases == tuple(old)
    assert gone.segments == tuple(segments)
    assert expired(old, segments, NOW - timedelta(days=14), 7, is_current=False).bases == ()


def test_without_a_base_the_log_in_use_stays() -> None:
    assert expired([], [name(1)], NOW, 7, is_current=True).segments == ()


@pytest.mark.parametrize("given", [{"keep_days": 0}, {"slot_megabytes": 1}, {"tick_seconds": 0}, {"unknown": 1}])
def test_impossible_settings_are_refused(given: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        WalConfig.model_validate(given)
