"""Finds links to documents that lead nowhere. Input: the texts of a repository by path. Output: one line each.

A mention of a document anywhere (``docs/`` ... ``.md#anchor``), and a relative link of a Markdown file, must name a
file there is and a heading in it. Anchors are those that GitHub gives to headings, and that ``<a id="...">`` sets.
"""

from __future__ import annotations

import posixpath
import re
import subprocess
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path, PurePosixPath
from urllib.parse import unquote

SPECIFICATION = "docs/specification.md"
TEXTS = (".cfg", ".html", ".in", ".md", ".py", ".sh", ".sql", ".toml", ".txt", ".yaml", ".yml")
WITHOUT_SUFFIX = ("Dockerfile", "Makefile", "run", ".env.example")

# What follows a slash is part of a relative link or an address.
MENTION = re.compile(r"(?<![\w./-])(?:dags/)?docs/[\w./-]*\w\.md(?:#[\w-]+)?")
LINK = re.compile(r"\[[^\[\]]*(?:\[[^\[\]]*\])?[^\[\]]*\]\(\s*<?([^)\s>]+)>?[^)]*\)")
HEADING = re.compile(r"^ {0,3}#{1,6} +(.*?)(?: +#+)? *$")
SET_ANCHOR = re.compile(r'<a (?:id|name)="([^"]+)"')
FENCE = re.compile(r"^ *(```+|~~~+)")
CODE = re.compile(r"(`+)(?!`).+?(?<!`)\1(?!`)", re.DOTALL)
NAMED_FILE = re.compile(r"`((?:benchmarks|dags|plugins|tests|trading_lib)/[\w./]*\w\.\w+)`")
# The owner's document is not in the repository: its rules are cited from the specification.
ELSEWHERE = re.compile(r"technical\s+design|\bSPEC\s+(?:section\s+)?\d", re.IGNORECASE)


def repository_files(root: Path) -> tuple[str, ...]:
    """Every file of the checkout that git does not ignore, by its path in the repository."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout.split("\0")
    return tuple(name for name in names if (root / name).is_file())


def read_texts(root: Path, files: Collection[str]) -> dict[str, str]:
    """Contents of the text files among them."""
    texts = (name for name in files if name.endswith(TEXTS) or posixpath.basename(name) in WITHOUT_SUFFIX)
    return {name: (root / name).read_text(encoding="utf-8") for name in texts}


def broken_links(texts: Mapping[str, str], files: Collection[str]) -> list[str]:
    """Every link that does not resolve, with the file and line that has it.

    Parameters
    ----------
    texts
        Path in the repository -> content.
    files
        Paths of all files that a link may name; their folders may be named, too.
    """
    there = {*files, *(folder.as_posix() for file in files for folder in PurePosixPath(file).parents)}
    known = {name: set(anchors(text)) for name, text in texts.items() if name.endswith(".md")}
    found = []
    for name, text in texts.items():
        for line, target in _targets(name, text):
            path, _, anchor = target.partition("#")
            if path.rstrip("/") not in there:
                found.append(f"{name}:{line}: {path} does not exist")
            elif anchor and anchor not in known.get(path, ()):
                found.append(f"{name}:{line}: {path} has no heading with the anchor #{anchor}")
    return found


def absent_paths(texts: Mapping[str, str], files: Collection[str]) -> list[str]:
    """Every module, test or script that a Markdown document names and that is not there."""
    return [
        f"{name}:{_line(text, match.start())}: {match.group(1)} does not exist"
        for name, text in texts.items()
        if name.endswith(".md")
        for match in NAMED_FILE.finditer(text)
        if match.group(1) not in files
    ]


def citations_elsewhere(texts: Mapping[str, str]) -> list[str]:
    """Every line that cites a rule from a document that readers of the repository do not have."""
    return [
        f"{name}:{_line(text, match.start())}: cite {SPECIFICATION} instead of {match.group()!r}"
        for name, text in texts.items()
        if name != SPECIFICATION
        for match in ELSEWHERE.finditer(text)
    ]


def anchors(text: str) -> list[str]:
    """Anchors of a Markdown document in its order; one that comes twice is listed twice."""
    found = []
    for line in _without_fences(text).split("\n"):
        heading = HEADING.match(line)
        if heading:
            found.append(slug(heading.group(1)))
        found += SET_ANCHOR.findall(line)
    return found


def slug(heading: str) -> str:
    """Anchor that GitHub gives to a heading."""
    words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
    return re.sub(r"[^\w\- ]", "", words.lower()).replace(" ", "-")


def _targets(name: str, text: str) -> Iterator[tuple[int, str]]:
    """Line and target, as a path in the repository, of every link in a file."""
    for match in MENTION.finditer(text):
        yield _line(text, match.start()), match.group()
    if not name.endswith(".md"):
        return
    prose = CODE.sub(lambda code: re.sub(r"[^\n]", " ", code.group()), _without_fences(text))
    for match in LINK.finditer(prose):
        target = unquote(match.group(1))
        if re.match(r"[a-z][a-z+.-]*:|/", target):
            continue
        path, sign, anchor = target.partition("#")
        absolute = posixpath.normpath(posixpath.join(posixpath.dirname(name), path)) if path else name
        yield _line(text, match.start()), absolute + sign + anchor


def _without_fences(text: str) -> str:
    """The text with its blocks of code blanked, line for line."""
    kept, fence = [], ""
    for line in text.split("\n"):
        mark = FENCE.match(line)
        inside = bool(fence)
        if mark and not fence:
            fence = mark.group(1)
        elif mark and mark.group(1).startswith(fence):
            fence = ""
        kept.append("" if inside or mark else line)
    return "\n".join(kept)


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1
