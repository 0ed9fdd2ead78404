"""A sweep that was stopped: what is noted, what is taken over, and what is not."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from tests.builders.markets import market_of, random_bars
from tests.builders.settings import make_settings
from trading_lib.adapters.files.progress_file import ProgressFile
from trading_lib.domain.errors import InputError
from trading_lib.workflows.research.sweep.grid import GridPoint, expand_grid
from trading_lib.workflows.research.sweep.journal import SweepJournal, forget_journal
from trading_lib.workflows.research.sweep.point import FAILED, PointResult, SweepTask
from trading_lib.workflows.research.sweep.run import run_points, task_on

FIRST, LAST = date(2021, 6, 1), date(2021, 9, 30)
GRID = {"risk.target_volatility": [0.10, 0.12]}


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> SweepTask:
    settings = make_settings("", tmp_path_factory.mktemp("journal"))
    return task_on(settings, market_of(random_bars(date(2020, 1, 2), LAST, seed=9)), FIRST, LAST)


def journal_of(out: Path, task: SweepTask, results: tuple[PointResult, ...]) -> None:
    journal = SweepJournal(out, task)
    for result in results:
        journal.add(result)
    journal.close()


def known(out: Path, task: SweepTask, points: tuple[GridPoint, ...]) -> dict[int, PointResult]:
    journal = SweepJournal(out, task)
    try:
        return journal.finished(points)
    finally:
        journal.close()


def test_a_finished_point_comes_back_as_it_was_to_the_last_bit(task: SweepTask, tmp_path: Path) -> None:
    points = expand_grid(GRID)
    results = run_points(task, points, 1)
    journal_of(tmp_path / "p.csv", task, results)
    found = known(tmp_path / "p.csv", task, points)
    for result in results:
        again = found[result.point.number]
        assert replace(again, nav=None) == replace(result, nav=None)
        np.testing.assert_array_equal(again.nav, result.nav)
    forget_journal(tmp_path / "p.csv")
    assert list(tmp_path.iterdir()) == []


def test_a_larger_grid_takes_over_what_it_shares_with_the_smaller(task: SweepTask, tmp_path: Path) -> None:
    journal_of(tmp_path / "p.csv", task, run_points(task, expand_grid(GRID), 1))
    larger = expand_grid({"risk.target_volatility": [0.09, 0.10, 0.12]})
    assert sorted(known(tmp_path / "p.csv", task, larger)) == [1, 2]


@pytest.mark.parametrize("changed", ["window", "prices"])
def test_another_window_or_other_prices_begin_anew(task: SweepTask, tmp_path: Path, changed: str) -> None:
    points = expand_grid(GRID)
    journal_of(tmp_path / "p.csv", task, run_points(task, points, 1))
    other = market_of(random_bars(date(2020, 1, 2), LAST, seed=10))
    changes = {"window": replace(task, last=date(2021, 9, 29)), "prices": replace(task, market=other)}
    assert known(tmp_path / "p.csv", changes[changed], points) == {}


def test_a_failed_point_is_tried_again(task: SweepTask, tmp_path: Path) -> None:
    points = expand_grid(GRID)
    journal_of(tmp_path / "p.csv", task, (PointResult(points[0], FAILED, "out of memory"),))
    assert known(tmp_path / "p.csv", task, points) == {}


def test_half_a_line_of_a_killed_process_spoils_nothing(tmp_path: Path) -> None:
    path = tmp_path / "work.progress"
    first = ProgressFile(path, {"work": 1})
    first.add({"done": "a"})
    first.close()
    with path.open("ab") as file:
        file.write(b'{"done": "b"')
    second = ProgressFile(path, {"work": 1})
    assert second.found == [{"done": "a"}]
    second.add({"done": "c"})
    second.close()
    assert [json.loads(line) for line in path.read_text().splitlines()] == [{"work": 1}, {"done": "a"}, {"done": "c"}]


def test_two_processes_do_not_note_their_work_in_one_file(tmp_path: Path) -> None:
    held = ProgressFile(tmp_path / "work.progress", {"work": 1})
    with pytest.raises(InputError, match="another process is writing"):
        ProgressFile(tmp_path / "work.progress", {"work": 1})
    held.close()
    ProgressFile(tmp_path / "work.progress", {"work": 1}).close()


WORKER = """
import multiprocessing, os, sys
from concurrent.futures import ProcessPoolExecutor
from tests.environment.sweep_worker import waiting
if __name__ == "__main__":
    pool = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), waiting, ())
    print(pool.submit(os.getpid).result(), flush=True)
    sys.stdin.read()
"""


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="watching another process needs Linux")
def test_a_worker_ends_when_its_sweep_is_killed(tmp_path: Path, repository_root: Path) -> None:
    script = tmp_path / "sweeping.py"
    script.write_text(WORKER)
    environment = os.environ | {"PYTHONPATH": str(repository_root)}
    sweeping = subprocess.Popen(
        [sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    )
    assert sweeping.stdout is not None
    worker = int(sweeping.stdout.readline())
    watch = os.pidfd_open(worker)
    try:
        sweeping.send_signal(signal.SIGKILL)
        sweeping.wait()

        assert select.select([watch], [], [], 60)[0], "the worker is still there"
    finally:
        os.close(watch)
