"""The short form of `make faults`: processes of the daily run, killed at named points; and its evidence."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.campaigns.evidence import ROOT
from tests.campaigns.order_kills.campaign import desks, play, summary
from tests.campaigns.order_kills.desk import CLIENTS, Desk
from tests.campaigns.order_kills.mutants import MUTANTS, PlantedFault
from tests.campaigns.order_kills.points import POINTS

pytestmark = [pytest.mark.postgres, pytest.mark.no_cover]

SEED = 1
# One of each kind; the long form plays all of them with many seeds.
SHORT = (
    "SUBMIT stored, nothing sent",
    "booked, answer not read",
    "booked and invisible, answer not stored",
    "absence stored",
    "cursor stored",
)


@pytest.fixture(scope="module")
def ready() -> Iterator[dict[str, Desk]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRADING_BROKER_SIMULATOR", "")
        with desks() as opened:
            yield opened


def test_processes_killed_at_named_points_lose_and_double_nothing(ready: dict[str, Desk]) -> None:
    points = [point for point in POINTS if point.name in SHORT]
    trials = [(client, point, SEED) for point in points for client in CLIENTS]
    found = summary(list(play(ready, trials)), SEED)
    print(f"seed {SEED}, {found['kills']} kills")
    assert found["findings"] == []
    assert found["not_reached"] == []
    assert found["kills"] >= len(trials) == 2 * len(SHORT)
    assert found["fills"] > len(trials)


def test_points_have_names_of_their_own() -> None:
    assert len({point.name for point in POINTS}) == len(POINTS) >= 20


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_planted_fault_of_the_order_path_still_fits_the_code(mutant: PlantedFault) -> None:
    assert (ROOT / mutant.file).read_text().count(mutant.old) == 1
    assert all(any(part in point.name for point in POINTS) for part in mutant.points)
