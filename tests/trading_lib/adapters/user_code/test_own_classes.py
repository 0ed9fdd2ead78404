"""Classes of users' own files: loaded once, whole, whoever asks meanwhile."""

from __future__ import annotations

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

import pytest

from trading_lib.adapters.user_code.own_classes import load_class

SECONDS = 30.0
SLOW = "import gate\n\ngate.begun.set()\ngate.passed.wait(30)\n\n\nclass Slow:\n    pass\n"


class Gate(ModuleType):
    """What a file imports that waits half way."""

    def __init__(self) -> None:
        super().__init__("gate")
        self.begun, self.passed = threading.Event(), threading.Event()


def test_who_asks_while_a_file_is_executed_gets_the_whole_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two notifiers of one file are created in two threads: the second met a module without its class."""
    gate = Gate()
    monkeypatch.setitem(sys.modules, "gate", gate)
    (tmp_path / "slow.py").write_text(SLOW)
    (tmp_path / "other.py").write_text("class Other:\n    pass\n")
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(load_class, "slow.py:Slow", tmp_path, "notifier")
        assert gate.begun.wait(SECONDS)
        second = threads.submit(load_class, "slow.py:Slow", tmp_path, "notifier")
        assert load_class("other.py:Other", tmp_path, "notifier").__name__ == "Other"  # held up by no other file
        gate.passed.set()
        assert first.result(SECONDS) is second.result(SECONDS)
