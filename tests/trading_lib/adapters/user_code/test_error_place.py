"""The line of a user's own code is named, not the library's that raised, nor ours that called."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import trading_lib
from trading_lib.adapters.user_code.error_place import kind_and_line, user_line
from trading_lib.adapters.user_code.own_classes import load_class
from trading_lib.adapters.user_code.watch import is_users

SOURCE = """
import json


class Own:
    def own_mistake(self):
        return self._deeper()

    def _deeper(self):
        raise KeyError("hunter2")

    def mistake_of_a_library(self):
        return json.loads("{")

    def endless(self):
        return self.endless()
"""


@pytest.fixture
def own(tmp_path: Path) -> Any:
    (tmp_path / "own.py").write_text(SOURCE)
    return load_class("own.py:Own", tmp_path, "thing")()


def raised(call: Callable[[], Any]) -> Exception:
    """Return what it raises, without this test's own frame: a message's maker has none in its traceback."""
    with pytest.raises(Exception) as caught:  # noqa: PT011 - whatever it is
        call()
    trace = caught.value.__traceback__
    return caught.value.with_traceback(trace.tb_next if trace else None)


def test_the_innermost_line_of_the_user_is_named(own: Any) -> None:
    assert user_line(raised(own.own_mistake)) == ("own.py", 10)
    assert user_line(raised(own.mistake_of_a_library)) == ("own.py", 13)
    assert user_line(raised(own.endless)) == ("own.py", 16)


def test_the_text_of_an_error_is_left_out(own: Any) -> None:
    assert kind_and_line(raised(own.own_mistake)) == "KeyError in line 10"


def test_an_error_that_met_no_line_of_the_user_has_none() -> None:
    assert user_line(ValueError()) is None
    assert kind_and_line(ValueError()) == "ValueError"


def test_no_file_of_the_system_is_taken_for_a_users() -> None:
    package = Path(trading_lib.__file__).parent
    assert [str(path) for path in package.rglob("*.py") if is_users(str(path))] == []
