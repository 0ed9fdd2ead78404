"""The tests' folders: one of them mirrors the package's, and no test module leans on another."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
MIRROR, PACKAGE = TESTS / "trading_lib", TESTS.parent / "trading_lib"
FOLDERS = sorted({path.parent for path in TESTS.rglob("*") if path.is_file() and path.parent.name != "__pycache__"})
MOST_ENTRIES = 14


def imported_names(tree: ast.Module) -> Iterator[str]:
    """Every module a module may import, also inside functions: what it takes from a folder may be one."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            yield from (node.module, *(f"{node.module}.{alias.name}" for alias in node.names))


def imported_test_modules(text: str) -> list[str]:
    return [
        name
        for name in imported_names(ast.parse(text))
        if name.startswith("tests.") and name.rpartition(".")[2].startswith("test_")
    ]


def entries(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != "__pycache__")


def test_no_module_of_the_tests_imports_a_test_module() -> None:
    leaning = {
        str(path.relative_to(TESTS)): found
        for path in TESTS.rglob("*.py")
        if (found := imported_test_modules(path.read_text(encoding="utf-8")))
    }
    assert leaning == {}, "what several tests need belongs in tests/builders or another folder of helpers"


@pytest.mark.parametrize(
    "statement",
    [
        "import tests.trading_lib.backtest.test_engine",
        "from tests.trading_lib.backtest import test_engine as engine",
        "from tests.trading_lib.backtest.test_engine import order",
        "def late():\n    from tests.trading_lib.backtest.test_engine import order",
    ],
)
def test_every_way_to_import_one_is_seen(statement: str) -> None:
    assert "tests.trading_lib.backtest.test_engine" in imported_test_modules(statement)
    assert imported_test_modules("from tests.builders.orders import order") == []


def test_the_mirror_has_the_folders_of_the_package_and_nothing_but_tests() -> None:
    folders = [folder.relative_to(MIRROR) for folder in FOLDERS if folder.is_relative_to(MIRROR)]
    assert [str(folder) for folder in folders if not (PACKAGE / folder).is_dir()] == []
    others = [path for path in MIRROR.rglob("*.*") if path.suffix != ".pyc" and not path.name.startswith("test_")]
    assert {path.name for path in others if path.is_file()} <= {"conftest.py"}


def test_no_folder_shows_more_than_fits() -> None:
    """The mirror's own first floor shows what the package's does."""
    full = {str(path.relative_to(TESTS)): len(entries(path)) for path in FOLDERS if path != MIRROR}
    assert {name: count for name, count in full.items() if count > MOST_ENTRIES} == {}
