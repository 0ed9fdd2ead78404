"""Documents can be followed: every link resolves, and every rule is cited from the repository's own specification."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.docs.links import (
    SPECIFICATION,
    absent_paths,
    anchors,
    broken_links,
    citations_elsewhere,
    read_texts,
    repository_files,
    slug,
)

# Put together, so that this file mentions no document that does not exist.
DOCS = "docs"
PAGE = f"{DOCS}/page.md"
PLANTED = "# Page\n\n## Risk levels\n\ntext\n"
FILES = {PAGE, "trading_lib/rule.py", f"{DOCS}/picture.png"}


@pytest.fixture(scope="module")
def files(repository_root: Path) -> tuple[str, ...]:
    return repository_files(repository_root)


@pytest.fixture(scope="module")
def texts(repository_root: Path, files: tuple[str, ...]) -> dict[str, str]:
    return read_texts(repository_root, files)


def test_every_link_to_a_document_resolves(texts: dict[str, str], files: tuple[str, ...]) -> None:
    assert broken_links(texts, files) == []


def test_every_file_that_a_document_names_is_there(texts: dict[str, str], files: tuple[str, ...]) -> None:
    assert absent_paths(texts, files) == []


def test_no_file_cites_a_document_that_readers_do_not_have(texts: dict[str, str]) -> None:
    assert citations_elsewhere(texts) == []


def test_every_anchor_of_the_specification_is_there_once(texts: dict[str, str]) -> None:
    assert [name for name, times in Counter(anchors(texts[SPECIFICATION])).items() if times > 1] == []


def test_rules_are_cited_from_code_tests_and_configuration(texts: dict[str, str]) -> None:
    """A search that found nothing to check would be content with anything."""
    citing = {name.partition("/")[0] for name, text in texts.items() if f"{SPECIFICATION}#" in text}
    assert {"trading_lib", "tests", "include"} <= citing


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("trading_lib/rule.py", f'"""A rule ({DOCS}/gone.md)."""', f"{DOCS}/gone.md does not exist"),
        ("trading_lib/rule.py", f"\n# {PAGE}#risk-level\n", f"{PAGE} has no heading with the anchor #risk-level"),
        (f"{DOCS}/other.md", "[rule](gone.md)", f"{DOCS}/gone.md does not exist"),
        (f"{DOCS}/other.md", "[rule\nof two lines](page.md#stops)", f"{PAGE} has no heading with the anchor #stops"),
        (f"{DOCS}/other.md", "![picture](images/gone.png)", f"{DOCS}/images/gone.png does not exist"),
        (f"{DOCS}/other.md", "[here](#nowhere)", f"{DOCS}/other.md has no heading with the anchor #nowhere"),
        ("include/README.md", "[rule](../page.md)", "page.md does not exist"),
        ("include/README.md", f"[rule](../{DOCS}/gone.md)", f"{DOCS}/gone.md does not exist"),
    ],
)
def test_a_broken_link_is_found(name: str, text: str, problem: str) -> None:
    found = broken_links({PAGE: PLANTED, name: text}, FILES | {name})
    assert len(found) == 1
    assert found[0].startswith(f"{name}:")
    assert found[0].endswith(f": {problem}")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("trading_lib/rule.py", f'"""A rule ({PAGE}#risk-levels), and {PAGE}."""'),
        (f"{DOCS}/other.md", "[rule](page.md#risk-levels) ![picture](picture.png) [all](../docs/)"),
        (f"{DOCS}/other.md", "[away](https://example.org/gone.md#x) `[code](gone.md)`\n```\n[code](gone.md)\n```\n"),
        (f"{DOCS}/other.md", '<a id="set"></a>\n[here](#set)'),
        ("include/README.md", f"[{PAGE}](../{PAGE}#risk-levels)"),
    ],
)
def test_a_sound_link_is_none(name: str, text: str) -> None:
    assert broken_links({PAGE: PLANTED, name: text}, FILES | {name}) == []


def test_a_broken_link_is_named_with_its_line() -> None:
    assert broken_links({PAGE: f"{PLANTED}\n[x](gone.md)"}, FILES) == [f"{PAGE}:7: {DOCS}/gone.md does not exist"]


@pytest.mark.parametrize(
    "words", ["Technical" + " design 4.3", "technical\n" + "design", "SPEC" + " section 8", "SPEC" + " 6"]
)
def test_a_citation_of_a_document_elsewhere_is_found(words: str) -> None:
    assert len(citations_elsewhere({"trading_lib/rule.py": f"# {words}\n", PAGE: PLANTED})) == 1


def test_a_file_that_is_not_there_is_found() -> None:
    named = {PAGE: "see `trading_lib/rule.py`\nand `tests/gone.py`"}
    assert absent_paths(named, FILES) == [f"{PAGE}:2: tests/gone.py does not exist"]


def test_the_specification_may_say_what_it_restates() -> None:
    assert citations_elsewhere({SPECIFICATION: "the technical" + " design"}) == []


def test_headings_get_the_anchors_of_github() -> None:
    assert slug("Risk levels") == "risk-levels"
    assert slug("1. The `kill switch`, and [who](x.md) may (not)!") == "1-the-kill-switch-and-who-may-not"
    assert anchors("# A\n```\n# no heading\n```\n## B ##\n# A\n") == ["a", "b", "a"]
