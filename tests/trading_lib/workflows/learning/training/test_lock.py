"""The second training is refused at once, on the same machine and at the same database, and the first goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.builders.settings import make_settings
from tests.environment.database import MakeDatabase
from trading_lib.domain.errors import InputError
from trading_lib.workflows.learning.training.lock import only_training


def test_a_second_training_in_the_same_home_is_refused_in_one_line(tmp_path: Path) -> None:
    settings = make_settings("", tmp_path)
    refused = pytest.raises(InputError, match="another training is running: wait")
    with only_training(settings), refused, only_training(settings):
        pytest.fail("two at once")
    with only_training(settings):
        pass


@pytest.mark.postgres
def test_a_second_training_at_the_same_database_is_refused_from_another_home_too(
    make_database: MakeDatabase, tmp_path: Path
) -> None:
    url = make_database()
    here, there = make_settings(url, tmp_path / "a"), make_settings(url, tmp_path / "b")
    refused = pytest.raises(InputError, match="another training is running")
    with only_training(here), refused, only_training(there):
        pytest.fail("two at once")
    with only_training(there):
        pass


def test_a_training_that_fails_leaves_the_way_free(tmp_path: Path) -> None:
    settings = make_settings("", tmp_path)
    with pytest.raises(ValueError, match="broken"), only_training(settings):
        raise ValueError("broken")
    with only_training(settings):
        pass
