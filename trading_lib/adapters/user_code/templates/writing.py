"""A strategy to begin with: its file and its test, written once and never over another file."""

from __future__ import annotations

import importlib.util
import keyword
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from string import Template

from trading_lib.domain.errors import InputError

TEMPLATES = Path(__file__).parent
LONGEST_NAME = 60


@dataclass(frozen=True, slots=True)
class WrittenStrategy:
    """The files that were written, and the class in the first."""

    strategy: Path
    test: Path
    class_name: str


def write_strategy(name: str, folder: Path, taken: tuple[str, ...]) -> WrittenStrategy:
    """Write ``name.py`` and ``test_name.py`` into ``folder``.

    Parameters
    ----------
    taken
        Names of strategies that come with the system.

    Raises
    ------
    InputError
        When the name cannot be a sleeve's and a file's, is taken or a module's, or one of the files exists.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name) or len(name) > LONGEST_NAME:
        raise InputError(f"{name!r} is no name for a strategy", "use small letters, digits and _, e.g. low_volatility")
    if name in taken:
        raise InputError(f"{name!r} is the name of a strategy that comes with the system", "choose another one")
    if name in sys.stdlib_module_names or name in sys.modules or importlib.util.find_spec(name) is not None:
        raise InputError(
            f"{name!r} is the name of a Python module, which {name}.py would hide from its neighbours",
            "choose another one",
        )
    if not folder.is_dir():
        raise InputError(f"the folder {folder} does not exist", "create it, or name another one with --dir")
    class_name = "".join(word.capitalize() for word in name.split("_"))
    written = WrittenStrategy(folder / f"{name}.py", folder / f"test_{name}.py", class_name)
    for path in (written.strategy, written.test):
        if path.exists():
            raise InputError(f"{path} exists", "choose another name; nothing is overwritten")
    for path, template in ((written.strategy, "strategy.txt"), (written.test, "test_strategy.txt")):
        text = Template((TEMPLATES / template).read_text(encoding="utf-8")).substitute(name=name, cls=class_name)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    return written
