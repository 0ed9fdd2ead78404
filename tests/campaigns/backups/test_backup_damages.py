"""A tenth of the campaign of damages; all of it is `make damages`."""

from __future__ import annotations

import pytest

from tests.campaigns.backups.damages import ENCRYPTED, PLAIN
from tests.campaigns.backups.refusals import Ground
from tests.environment.database import MakeDatabase
from trading_lib.adapters.stores.postgres.embedded_postgres import EmbeddedPostgres

pytestmark = [pytest.mark.postgres, pytest.mark.no_cover]

# Plain and encrypted in turn; a cut manifest beside an older backup; two that only plain backups know.
SEEDS = (*range(0, 100, 9), 22, 60, 62)
RESTORES = (0, 1)


@pytest.fixture(scope="module")
def ground(
    postgres_server: EmbeddedPostgres, make_database: MakeDatabase, tmp_path_factory: pytest.TempPathFactory
) -> Ground:
    return Ground(postgres_server, make_database, tmp_path_factory.mktemp("damages"))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_damaged_backup_is_refused_and_nothing_is_touched(ground: Ground, seed: int) -> None:
    outcome = ground.play(seed)
    assert (outcome.problem, outcome.untouched) == ("", True), outcome
    assert outcome.refused


@pytest.mark.parametrize("seed", RESTORES)
def test_a_sound_backup_comes_back_with_the_same_state(ground: Ground, seed: int) -> None:
    assert ground.restore(seed) == ""


def test_a_hundred_seeds_play_every_harm() -> None:
    played = {harms[seed // 2 % len(harms)] for seed in range(100) for harms in [ENCRYPTED if seed % 2 else PLAIN]}
    assert played == {*ENCRYPTED, *PLAIN}
