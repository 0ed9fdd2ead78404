"""Strategies that see the future by a trick, each named by the audit; and honest ones that only look as if they did."""

from __future__ import annotations

import json
import sqlite3
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.builders.own_code.strategy import project, source
from tests.environment.command_line import run

WINDOW = ("--from", "2006-01-03", "--to", "2006-03-01")
# How a strategy that has a frame looks for the whole panel, and uses it.
IN_FRAMES = """
while frame is not None:
    for value in list(frame.f_locals.values()):
        if type(value).__name__ == "SessionInput":
            panel = value.panel
            row = int(np.searchsorted(panel.sessions, np.datetime64(view.session)))
            if row + 1 < len(panel.sessions):
                weights[:] = np.where(panel.mark_return[row + 1] > 0, 0.05, 0.0)
    frame = frame.f_back
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("secrets")
    (folder / "data.csv").write_text("a\n1\n")
    np.save(folder / "data.npy", np.ones(4))
    pd.DataFrame({"a": [1.0]}).to_parquet(folder / "data.parquet")
    with sqlite3.connect(folder / "data.db") as database:
        database.execute("create table a (b)")
    return folder


@pytest.fixture
def audited(
    tmp_path: Path,
    repository_root: Path,
    files: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Any:
    def audit(**parts: str) -> dict[str, Any]:
        text = source(**{name: part.replace("FOLDER", str(files)) for name, part in parts.items()})
        project(tmp_path, repository_root, text, monkeypatch)
        code = run("audit", "lookahead", *WINDOW, "--cuts", "3", "--json")
        report: dict[str, Any] = json.loads(capsys.readouterr().out)
        assert code == (0 if report["clean"] else 1)
        return report

    return audit


# Where it is done, the line that does it, and what the audit says: kind, words, when.
SEEN_HERE = {
    "a file read where the module is imported": (
        "top", "DATA = open('FOLDER/data.csv').read()", "file", "opened FOLDER/data.csv", "while its module",
    ),
    "a file read in the constructor": (
        "init", "self.data = open('FOLDER/data.npy', 'rb').read()", "file", "opened FOLDER/data.npy",
        "while it was constructed",
    ),
    "a file read by the operating system's call": (
        "body", "os.close(os.open('FOLDER/data.csv', os.O_RDONLY))", "file", "opened FOLDER/data.csv", "while it",
    ),
    "an array file": ("body", "np.load('FOLDER/data.npy')", "file", "opened FOLDER/data.npy", "while it decided"),
    "a file mapped into memory": (
        "body", "np.memmap('FOLDER/data.npy', mode='r')", "file", "mapped a file into memory", "while it decided",
    ),
    "a table read by pandas": ("body", "pd.read_csv('FOLDER/data.csv')", "file", "opened FOLDER/data.csv", "while"),
    "a file read by text that is executed": (
        "body", "exec(\"open('FOLDER/data.csv').read()\")", "file", "opened FOLDER/data.csv", "while it",
    ),
    "a file that is written": (
        "init", "open('FOLDER/mine.txt', 'a').close()", "file", "opened FOLDER/mine.txt to write", "while it was",
    ),
    "a listing of a folder": (
        "body", "os.listdir('FOLDER')", "file", "looked at files (os.listdir FOLDER)", "while it decided",
    ),
    "a file of this system's own": (
        "body", "(include_folder() / 'config' / 'risk.yaml').read_text()", "file", "risk.yaml", "while it decided",
    ),
    "a socket": (
        "body", "socket.socket().connect_ex(('127.0.0.1', 9))", "network",
        "used the network (socket.connect ('127.0.0.1', 9))", "while it decided",
    ),
    "a database": (
        "init", "sqlite3.connect('FOLDER/data.db').close()", "database", "opened the database FOLDER/data.db",
        "while it was constructed",
    ),
    "another program": (
        "init", "subprocess.run(['true'])", "process", "started or changed a process (subprocess.Popen true)",
        "while it was constructed",
    ),
    "a search through memory": (
        "body", "gc.get_referents(weights)", "memory", "searched memory by reference (gc.get_referents)", "while it",
    ),
    "a look at the callers": (
        "body", "inspect.currentframe()", "memory", "looked at its callers' frames (sys._getframe)", "while it decided",
    ),
    "memory read by address": ("body", "ctypes.string_at(id(weights), 8)", "memory", "by ctypes", "while it decided"),
}  # fmt: skip
SEEN_ALONE = {
    "the time of the day": ("body", "time.time()", "clock", "read the clock (time.time)", "while it decided"),
    "the local time": ("body", "time.localtime()", "clock", "read the clock (time.localtime)", "while it decided"),
    "the date in the constructor": ("init", "date.today()", "clock", "read the clock (date.today)", "while it was"),
    "the clock of pandas": (
        "body", "pd.Timestamp.now()", "clock", "read the clock (pandas.Timestamp.now)", "while it decided",
    ),
    "the clock of numpy": (
        "body", "np.datetime64('now')", "clock", 'read the clock (np.datetime64("now"))', "as its text says",
    ),
    "the environment": (
        "top", "X = os.getenv('FUTURE')", "environment", "read the environment variable FUTURE", "while its module",
    ),
}  # fmt: skip
TOP = """
import ctypes, gc, inspect, os, socket, sqlite3, subprocess, time
import pandas as pd
from datetime import date
from trading_lib.adapters.files.include_folder import include_folder
"""


def everything(acts: dict[str, tuple[str, ...]]) -> str:
    """One strategy that does all of these."""
    parts = {place: "\n".join(act[1] for act in acts.values() if act[0] == place) for place in ("top", "init", "body")}
    return source(parts["body"], parts["init"], TOP + parts["top"])


@pytest.fixture(scope="module")
def acts_found(
    tmp_path_factory: pytest.TempPathFactory, repository_root: Path, files: Path
) -> dict[str, tuple[str, list[dict[str, Any]]]]:
    """Text and acts of the two strategies, one of whose acts can be seen without a process of its own."""
    found = {}
    for name, acts in (("here", SEEN_HERE), ("alone", SEEN_ALONE)):
        text, report = everything(acts).replace("FOLDER", str(files)), tmp_path_factory.mktemp(name) / "report"
        with pytest.MonkeyPatch.context() as patch, report.open("w") as printed, redirect_stdout(printed):
            project(report.parent, repository_root, text, patch)
            assert run("audit", "lookahead", *WINDOW, "--cuts", "2", "--json") == 1
        found[name] = (text, json.loads(report.read_text())["acts"])
    return found


@pytest.mark.parametrize(
    ("where", "name"), [*(("here", name) for name in SEEN_HERE), *(("alone", name) for name in SEEN_ALONE)]
)
def test_what_a_strategy_does_besides_deciding_is_named_with_its_line(
    acts_found: dict[str, tuple[str, list[dict[str, Any]]]], files: Path, where: str, name: str
) -> None:
    text, acts = acts_found[where]
    _, snippet, kind, what, when = (part.replace("FOLDER", str(files)) for part in (SEEN_HERE | SEEN_ALONE)[name])
    (line,) = [number for number, one in enumerate(text.splitlines(), 1) if one.strip() == snippet]
    at_the_line = [act for act in acts if act["where"] == f"own.py, line {line}"]
    assert [act for act in at_the_line if act["kind"] == kind and what in act["what"] and act["when"].startswith(when)]
    assert {act["kind"] for act in at_the_line} == {kind}
    assert not [act for act in acts if "in compiled code" in act["what"]]


PEEKS = {
    "the panel found among all objects": {
        "top": "import gc",
        "body": """
            if self.known is None:
                found = [one for one in gc.get_objects() if type(one).__name__ == "PricePanel"]
                self.known = max(found, key=lambda one: len(one.sessions)) if found else False
            if self.known:
                row = int(np.searchsorted(self.known.sessions, np.datetime64(view.session)))
                if row + 1 < len(self.known.sessions):
                    weights[:] = np.where(self.known.mark_return[row + 1] > 0, 0.05, 0.0)
        """,
    },
    "the panel in a caller's frame": {"top": "import sys", "body": "frame = sys._getframe()\n" + IN_FRAMES},
    "the panel by way of an exception": {
        "body": "try:\n    raise ValueError\nexcept ValueError as error:\n    frame = error.__traceback__.tb_frame\n"
        + IN_FRAMES,
    },
    "the panel by way of a generator": {
        "body": "def frames():\n    yield me.gi_frame.f_back\nme = frames()\nframe = next(me)\n" + IN_FRAMES,
    },
    "what the view's copies are made from": {
        "body": """
            source = view._copy.__closure__[0].cell_contents.mark_returns
            if source.base is not None and len(source) < len(source.base):
                weights[:] = np.where(source.base[len(source)] > 0, 0.05, 0.0)
        """,
    },
    "a memory of the sessions it was shown before": {
        "top": "SHOWN = {}",
        "body": """
            SHOWN[view.session] = view.mark_returns[-1]
            later = sorted(day for day in SHOWN if day > view.session)
            if later:
                weights[:] = np.where(SHOWN[later[0]] > 0, 0.05, 0.0)
        """,
    },
    "a count of its own calls": {"init": "self.known = 0", "body": "self.known += 1\nweights[0] += self.known * 1e-4"},
    "a variable of the environment": {
        "top": "import os",
        "body": "weights[0] += 0.1 * len(os.environ.get('PYTEST_CURRENT_TEST', ''))",
    },
    "a table that compiled code reads": {
        "top": "import pyarrow.parquet as pq\nDATA = pq.ParquetFile('FOLDER/data.parquet').read()",
        "body": "weights[0] += 0.1 * DATA['a'][0].as_py()",
    },
    "a table that compiled code reads when asked": {
        "top": "import pandas as pd",
        "body": "weights[0] += 0.1 * pd.read_parquet('FOLDER/data.parquet')['a'][0]",
    },
}


@pytest.mark.parametrize("name", PEEKS)
def test_whatever_the_trick_a_decision_that_rests_on_it_comes_out_different(audited: Any, name: str) -> None:
    report = audited(**PEEKS[name])
    culprits = {(found["layer"], found["name"]) for found in report["findings"] if found["culprit"]}
    assert culprits == {("sleeve", "mine")}
    if name.startswith("the panel"):
        # Each cut shows it, also those whose session decided no order and was not scrambled.
        assert report["findings"][0]["cuts"] == len(report["cuts"])
    assert not report["clean"]


def test_a_file_that_only_compiled_code_opens_is_named_all_the_same(audited: Any, files: Path) -> None:
    report = audited(**PEEKS["a table that compiled code reads"])
    (act,) = report["acts"]
    assert act["what"] == f"opened {files / 'data.parquet'} in compiled code"
    assert act["where"] == "own.py, line 4"


def test_arrays_lead_nowhere(audited: Any) -> None:
    report = audited(
        body="""
            arrays = [view.close, view.fresh, view.volume, view.total_return_close, view.price_factor]
            arrays += [view.mark_returns, view.common_returns, view.common_lag, *view.factors.values()]
            arrays += [sleeve.held, sleeve.wanted, sleeve.signals.codes, sleeve.signals.confidence]
            assert [array.base for array in arrays] == [None] * len(arrays)
            assert view.remembered == {}
        """
    )
    assert report["sleeve_faults"] == {}
    assert report["findings"] == []
    assert report["acts"] == []


HONEST = {
    "one that does nothing else": {},
    "one that imports a library when asked": {
        "body": "import scipy.optimize as o\nweights[0] += 1e-3 * float(o.minimize_scalar(lambda x: (x - 1) ** 2).x)"
    },
    "one that reads its own text": {"top": "import inspect", "body": "inspect.getsource(Own)"},
    "one that opens its own text": {"top": "TEXT = open(__file__).read()"},
    "one that knows time zones": {
        "top": "from zoneinfo import ZoneInfo",
        "init": "ZoneInfo('America/New_York')",
        "body": "ZoneInfo('Europe/Berlin')",
    },
    "one that defines types, logs and warns": {
        "top": """
            import enum, logging, typing, warnings
            from collections import namedtuple
            from dataclasses import dataclass
            Pair = namedtuple("Pair", "a b")
            class Way(enum.Enum):
                UP = 1
            class Named(typing.NamedTuple):
                a: int
            @dataclass(frozen=True)
            class Kept:
                a: int = 1
        """,
        "body": "logging.getLogger('own').info('x')\nwarnings.warn('x', stacklevel=1)",
    },
    "one that compiles a function": {
        "top": "from numba import njit\n@njit\ndef total(x):\n    return x.sum()",
        "body": "weights[0] += 1e-3 * total(weights)",
    },
    "one that computes with pandas": {
        "top": "import pandas as pd",
        "body": "weights[0] += 1e-3 * pd.DataFrame(view.mark_returns[-60:]).corr().fillna(0.0).to_numpy()[0, 1] ** 2",
    },
}


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_strategy_is_clean(audited: Any, name: str) -> None:
    report = audited(**HONEST[name])
    assert report["acts"] == []
    assert report["findings"] == []
    assert report["clean"]
    assert report["own_sleeves"] == ["mine"]
    assert any("own text" in limit for limit in report["not_covered"])


def test_the_text_says_who_was_watched_and_what_is_not_covered(
    tmp_path: Path, repository_root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    project(tmp_path, repository_root, source(top="import time", body="time.time()"), monkeypatch)
    assert run("audit", "lookahead", *WINDOW, "--cuts", "3") == 1
    shown = capsys.readouterr().out
    assert "CULPRIT     strategy own.py:Own: read the clock (time.time) at own.py, line 13, while it decided" in shown
    assert "  not clean (3 cuts, " in shown
    assert "  not covered: values written into a strategy's own text" in shown
    assert "mine watched for files, network, processes, clock and memory searches" in shown
