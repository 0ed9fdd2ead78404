"""A training that makes no sense is refused before anything is read."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from trading_lib.domain.errors import InputError
from trading_lib.learning.config import LearningConfig, Window
from trading_lib.workflows.learning.training.request import TrainingRequest

FIRST, LAST = date(2020, 1, 2), date(2022, 12, 30)


def test_an_inverted_window_is_refused() -> None:
    with pytest.raises(InputError, match="the window 2022-12-30 to 2020-01-02 is inverted"):
        TrainingRequest(first=LAST, last=FIRST).check()


@pytest.mark.parametrize(("option", "name"), [("--data", "data"), ("--universe-extra", "universe_extra")])
def test_a_folder_that_is_none_is_named_with_its_option(tmp_path: Path, option: str, name: str) -> None:
    file = tmp_path / "prices.csv"
    file.write_text("", encoding="utf-8")
    for folder, problem in ((tmp_path / "absent", "does not exist"), (file, "is not a folder")):
        request = TrainingRequest(first=FIRST, last=LAST, **{name: folder})  # type: ignore[arg-type]
        with pytest.raises(InputError, match=f"{option} names {folder}, which {problem}"):
            request.check()


def test_the_window_that_is_asked_for_takes_the_place_of_the_configured_one() -> None:
    configured = LearningConfig()
    assert TrainingRequest(first=FIRST, last=LAST).configuration(configured) == configured
    asked = TrainingRequest(first=FIRST, last=LAST, window=Window.THREE_YEARS).configuration(configured)
    assert asked.window is Window.THREE_YEARS
    assert asked.digest != configured.digest


def test_a_record_names_what_was_asked_for_and_no_default(tmp_path: Path) -> None:
    record = TrainingRequest(first=FIRST, last=LAST, data=tmp_path).record()
    assert record == {
        "from": "2020-01-02",
        "to": "2022-12-30",
        "data": str(tmp_path),
        "window": None,
        "universe_extra": None,
    }
