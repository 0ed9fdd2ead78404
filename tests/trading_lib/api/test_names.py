"""The public names: what they are, where they come from, and that importing the package loads none of them."""

from __future__ import annotations

import ast
import doctest
import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import trading_lib as tl

HEAVY = ("numpy", "pandas", "pydantic", "numba", "yaml", "typer", "matplotlib", "sqlalchemy", "mlflow", "airflow")


def fresh(code: str, root: Path) -> str:
    """What a new interpreter prints."""
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_importing_the_package_loads_nothing(repository_root: Path) -> None:
    code = f"import sys, trading_lib; print([name for name in {HEAVY!r} if name in sys.modules])"
    assert fresh(code, repository_root) == "[]"
    loaded = "import sys, trading_lib; print(sorted(name for name in sys.modules if name.startswith('trading_lib.')))"
    assert fresh(loaded, repository_root) == "[]"


def test_a_backtest_loads_no_service(repository_root: Path) -> None:
    code = (
        "import sys, trading_lib as tl; tl.backtest(start='2018-01-02', end='2018-02-28');"
        "services = ('airflow', 'mlflow', 'sqlalchemy', 'psycopg2', 'typer', 'plotly', 'matplotlib');"
        "print([name for name in services if name in sys.modules])"
    )
    assert fresh(code, repository_root) == "[]"


def test_every_public_name_is_there_and_documented() -> None:
    for name in tl.__all__:
        found = getattr(tl, name)
        assert inspect.getdoc(found), name
        assert name in dir(tl)
    assert len(set(tl.__all__)) == len(tl.__all__)


def test_type_checkers_see_what_python_loads(repository_root: Path) -> None:
    tree = ast.parse((repository_root / "trading_lib" / "__init__.py").read_text(encoding="utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {name.name: node.module for node in block.body if isinstance(node, ast.ImportFrom) for name in node.names}
    assert seen == tl._HOME
    assert sorted(seen) == tl.__all__


@pytest.mark.parametrize("module", sorted({"trading_lib", *tl._HOME.values()}))
def test_the_examples_of_docstrings_hold(module: str) -> None:
    assert doctest.testmod(importlib.import_module(module)).failed == 0


def test_every_function_has_an_example() -> None:
    for name in ("backtest", "load_prices", "stress", "sweep"):
        assert ">>> " in str(getattr(tl, name).__doc__), name


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'trading_lib' has no attribute 'backtst'"):
        tl.backtst  # noqa: B018


def test_a_part_of_the_package_never_takes_the_functions_name(repository_root: Path) -> None:
    code = (
        "import trading_lib as tl; from trading_lib.backtest.engine import run_backtest; tl.stress;"
        "import trading_lib.backtest.engine; from trading_lib import backtest;"
        "print(callable(tl.backtest), backtest is tl.backtest, run_backtest.__module__)"
    )
    assert fresh(code, repository_root) == "True True trading_lib.backtest.engine"


def test_the_manual_lists_every_public_name(repository_root: Path) -> None:
    manual = (repository_root / "docs" / "research" / "python.md").read_text(encoding="utf-8")
    listed = [line.split("`")[1].split("(")[0] for line in manual.splitlines() if line.startswith("| `tl.")]
    assert sorted(name.removeprefix("tl.") for name in listed) == tl.__all__
