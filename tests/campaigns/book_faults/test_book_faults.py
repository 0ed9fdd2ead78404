"""Random histories of a paper book with faults; the long campaign is `make book-faults`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.campaigns.book_faults.interleavings import Campaign
from tests.campaigns.book_faults.market import UNTOLD, FaultMarket, make_market

pytestmark = [pytest.mark.postgres, pytest.mark.no_cover]

SEEDS = range(40)
SIGKILLS = 10


@pytest.fixture(scope="module")
def fault_market(make_database: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultMarket]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in UNTOLD.items():
            patch.setenv(name, value)
        yield make_market(make_database(), Path(tmp_path_factory.mktemp("faults")))  # type: ignore[operator]


def test_histories_with_faults_end_like_the_straight_run(fault_market: FaultMarket) -> None:
    campaign = Campaign(fault_market)
    outcomes = [campaign.check(seed) for seed in SEEDS]
    print(f"seeds {SEEDS.start} to {SEEDS.stop - 1}")
    # Which of two commands at the same moment comes first, and so whether the other is refused, the machine chooses.
    alone = [outcome for outcome in outcomes if not outcome.faults["two_at_once"]]
    assert len(alone) >= 15
    assert sum(outcome.refusals == 0 for outcome in alone) >= 0.6 * len(alone)
    assert sum(outcome.refusals == 0 for outcome in outcomes) >= 0.5 * len(outcomes)
    assert sum(outcome.orders for outcome in outcomes) > 100
    assert all(outcome.repaired for outcome in outcomes if outcome.refusals)


def test_ten_sigkills_of_real_processes_leave_a_book_that_ends_like_the_straight_run(fault_market: FaultMarket) -> None:
    campaign = Campaign(fault_market)
    kills = 0
    seed = 0
    while kills < SIGKILLS:
        kills += campaign.check(seed, sigkill=True).kills
        seed += 1
    print(f"seeds 0 to {seed - 1}, {kills} kills")
