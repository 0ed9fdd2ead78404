"""A kernel's machine code on disk is out of date when any kernel it calls has changed."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from numba.core import config, event

from trading_lib.backtest.compiled import loop
from trading_lib.domain.kernels import FirstCompilation, called_sources, compiled, inlined, python_version

CALLED = """
from trading_lib.domain.kernels import compiled

@compiled
def rate():
    return {rate}
"""
CALLER = """
from called_kernel import rate
from trading_lib.domain.kernels import compiled

@compiled
def twice():
    return 2 * rate()
"""


def load(folder: Path, name: str, source: str, patch: pytest.MonkeyPatch) -> ModuleType:
    path = folder / f"{name}.py"
    path.write_text(source)
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    patch.setitem(sys.modules, name, module)
    spec.loader.exec_module(module)
    return module


def test_a_change_of_a_called_kernel_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Python's own cache of a file looks at its size and second, which two versions written at once may share.
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    load(tmp_path, "called_kernel", CALLED.format(rate=1), monkeypatch)
    first = load(tmp_path, "calling_kernel", CALLER, monkeypatch).twice
    assert first() == 2
    assert (first.stats.cache_hits, first.stats.cache_misses) == ({}, {(): 1})
    again = load(tmp_path, "calling_kernel", CALLER, monkeypatch).twice
    assert again() == 2
    assert list(again.stats.cache_hits.values()) == [1]
    load(tmp_path, "called_kernel", CALLED.format(rate=5), monkeypatch)
    changed = load(tmp_path, "calling_kernel", CALLER, monkeypatch).twice
    assert changed() == 10
    assert list(changed.stats.cache_misses.values()) == [1]


CALLER_ABOVE = """
from called_kernel import rate
from trading_lib.domain.kernels import compiled

@compiled
def twice():
    return 2 * _own_rate()

@compiled
def _own_rate():
    return rate()
"""


def test_a_change_is_noticed_through_a_kernel_that_is_defined_further_down(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    for rate in (1, 5):
        load(tmp_path, "called_kernel", CALLED.format(rate=rate), monkeypatch)
        assert load(tmp_path, "calling_kernel", CALLER_ABOVE, monkeypatch).twice() == 2 * rate


TYPED = """
from typing import NamedTuple
from trading_lib.domain.kernels import compiled

class {name}(NamedTuple):
    size: int

@compiled
def grown(thing):
    return thing.size + {by}
"""


def test_machine_code_of_a_type_that_is_gone_is_compiled_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = load(tmp_path, "typed_kernel", TYPED.format(name="Box", by=1), monkeypatch)
    assert before.grown(before.Box(2)) == 3
    after = load(tmp_path, "typed_kernel", TYPED.format(name="Crate", by=2), monkeypatch)
    assert after.grown(after.Crate(2)) == 4
    again = load(tmp_path, "typed_kernel", TYPED.format(name="Crate", by=2), monkeypatch)
    assert again.grown(again.Crate(2)) == 4
    assert list(again.grown.stats.cache_hits.values()) == [1]


def test_only_compiling_is_told_and_only_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "trading_lib.domain.kernels")
    # The one that listens all the time stays silent.
    monkeypatch.setattr(FirstCompilation, "said", True)
    listener = FirstCompilation()
    listener.said = False
    event.register("numba:compile", listener)  # type: ignore[no-untyped-call]
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    try:
        load(tmp_path, "foreign", CALLED.format(rate=1), monkeypatch).rate()
        assert not listener.said
        for name in ("trading_lib.first", "trading_lib.second"):
            load(tmp_path, name, CALLED.format(rate=1), monkeypatch).rate()
        assert listener.said
        assert [record.message.partition(",")[0] for record in caplog.records] == ["compiling the rules"]
        listener.said = False
        load(tmp_path, "trading_lib.first", CALLED.format(rate=1), monkeypatch).rate()
        assert not listener.said, "it was read from disk"
    finally:
        event.unregister("numba:compile", listener)  # type: ignore[no-untyped-call]


def test_the_loop_depends_on_the_files_of_all_its_rules() -> None:
    files = {Path(file).stem for file in called_sources(python_version(loop.trade_rows))}
    assert {
        "drawdown_kernels",
        "position_limit_kernels",
        "buy_restrictions",
        "rebalancing",
        "trades",
        "sleeves",
        "trend",
        "constraints",
    } <= files
    # Also those that its callees call.
    assert {"money_arithmetic", "turnover_bound"} <= files


def test_an_inlined_kernel_can_be_called_by_itself() -> None:
    def double(number: int) -> int:
        return 2 * number

    assert inlined(double)(4) == 8


def test_a_kernel_that_cannot_be_kept_anywhere_is_compiled_all_the_same(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An installation of root's, used by somebody whose own folder cannot be written either."""
    caplog.set_level("INFO", "trading_lib.domain.kernels")
    monkeypatch.setattr(config, "CACHE_LOCATOR_CLASSES", "IPythonCacheLocator")
    monkeypatch.setattr(FirstCompilation, "kept", True)

    def double(number: int) -> int:
        return 2 * number

    assert compiled(double)(4) == 8
    double.__module__ = "trading_lib.any"
    FirstCompilation().on_start(SimpleNamespace(data={"dispatcher": SimpleNamespace(py_func=double)}))  # type: ignore[arg-type]
    assert "NUMBA_CACHE_DIR" in caplog.text


def test_scipy_is_loaded_for_a_kernel_that_multiplies_matrices_and_for_no_other() -> None:
    code = (
        "import sys, numpy as np\n"
        "from numba import njit\n"
        "import trading_lib.domain.kernels\n"
        "ones = np.ones(3)\n"
        "assert njit(lambda x: x[0] + x[1])(ones) == 2.0\n"
        "print('scipy.linalg' in sys.modules)\n"
        "assert njit(lambda x: np.dot(x, x))(ones) == 3.0\n"
        "print('scipy.linalg' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["False", "True"]
