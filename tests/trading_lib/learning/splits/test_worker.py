"""A process that fits models ends when the one that asked for it is killed."""

from __future__ import annotations

import multiprocessing
from multiprocessing.connection import Connection

import pytest

from trading_lib.learning.splits.worker import serve_the_parent

SPAWN = multiprocessing.get_context("spawn")


def work(told: Connection) -> None:
    serve_the_parent()
    told.send("working")
    multiprocessing.Event().wait()


def ask(told: Connection) -> None:
    worker = SPAWN.Process(target=work, args=(told,))
    worker.start()
    told.close()
    worker.join()


def test_a_worker_does_not_outlive_a_parent_that_is_killed() -> None:
    heard, told = SPAWN.Pipe(duplex=False)
    parent = SPAWN.Process(target=ask, args=(told,))
    parent.start()
    told.close()
    assert heard.recv() == "working"
    parent.kill()
    parent.join()
    assert heard.poll(60), "the worker lives on"
    with pytest.raises(EOFError):
        heard.recv()
