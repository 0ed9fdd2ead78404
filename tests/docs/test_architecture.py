"""The map of the house shows every room there is, in the order of the layers that the import contracts enforce."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

# A room of the map: its indentation, and the name of a folder or a module.
ROOM = re.compile(r"^( +)([a-z_]+)(/|\.py)\s")


def mapped_rooms(text: str) -> dict[str, list[str]]:
    """Package or module of the map -> the folders listed below it, all in the map's order."""
    rooms: dict[str, list[str]] = {}
    for line in text.split("```")[1].splitlines():
        if match := ROOM.match(line):
            if len(match[1]) == 2:
                rooms[match[2]] = []
            else:
                rooms[list(rooms)[-1]].append(match[2])
    return rooms


def layers(root: Path) -> list[set[str]]:
    """Packages and modules of the import contracts, the upper layers first; siblings stand in one set."""
    contracts = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (listed,) = [contract["layers"] for contract in contracts if contract["type"] == "layers"]
    return [{name.strip(" ()") for name in layer.split("|")} for layer in listed]


def folders(package: Path) -> set[str]:
    return {path.parent.name for path in package.glob("*/__init__.py")} | {
        path.name for path in package.iterdir() if path.is_dir() and any(path.glob("*.yaml"))
    }


@pytest.fixture(scope="module")
def rooms(repository_root: Path) -> dict[str, list[str]]:
    return mapped_rooms((repository_root / "docs" / "development" / "architecture.md").read_text())


def test_the_map_shows_every_package_and_module(rooms: dict[str, list[str]], repository_root: Path) -> None:
    package = repository_root / "trading_lib"
    modules = {path.stem for path in package.glob("*.py")} - {"__init__", "__main__"}
    assert set(rooms) == folders(package) | modules


def test_the_map_shows_the_folders_of_every_package(rooms: dict[str, list[str]], repository_root: Path) -> None:
    for name, listed in rooms.items():
        package = repository_root / "trading_lib" / name
        assert sorted(listed) == sorted(folders(package) if package.is_dir() else ()), name


def test_the_map_has_the_order_of_the_layers(rooms: dict[str, list[str]], repository_root: Path) -> None:
    level = {name: number for number, layer in enumerate(layers(repository_root)) for name in layer}
    shown = [level[name] for name in rooms if name in level]
    assert shown == sorted(shown)


def test_every_room_of_the_map_is_under_the_contract(rooms: dict[str, list[str]], repository_root: Path) -> None:
    contracted = set().union(*layers(repository_root))
    assert set(rooms) == contracted


def test_a_room_of_the_map_is_read_with_its_folders() -> None:
    text = "# Map\n\n```\ntrading_lib/\n  cli/     jobs\n    book/    commands\n  decision.py    core\n```\n"
    assert mapped_rooms(text) == {"cli": ["book"], "decision": []}
