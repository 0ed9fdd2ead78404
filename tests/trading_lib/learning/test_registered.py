"""Aliases follow from their history; the digest of a model covers its kind, its columns in order and its files."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_lib.learning.registered import Alias, AliasChange, Aliases, canonical, file_digests, model_digest

AT = datetime(2026, 11, 20, tzinfo=UTC)
FILES = file_digests({"ridge.json": b"{}"})


def crowned(*versions: int) -> Aliases:
    """These versions became champion one after another; each took the alias from the one before."""
    changes: list[AliasChange] = []
    for at, version in enumerate(versions):
        if at and versions[at - 1] != version:
            changes.append(AliasChange(versions[at - 1], None, "", "", AT, len(changes) + 1))
        changes.append(AliasChange(version, Alias.CHAMPION, "", "", AT, len(changes) + 1))
    return Aliases(tuple(changes))


@pytest.mark.parametrize(
    ("champions", "earlier"),
    [
        ((), ()),
        ((1,), ()),
        ((1, 2, 3), (2, 1)),
        ((1, 2, 3, 2), (1,)),  # gone back once
        ((1, 2, 3, 2, 1), ()),
        ((1, 2, 1, 3), (1,)),
        ((1, 2, 1, 2), (1,)),
    ],
)
def test_what_was_gone_back_from_is_not_gone_back_to(champions: tuple[int, ...], earlier: tuple[int, ...]) -> None:
    assert crowned(*champions).earlier_champions() == earlier


@given(st.lists(st.integers(1, 5), min_size=1, max_size=12))
def test_a_rollback_never_leads_to_the_present_champion_nor_to_one_that_never_was(versions: list[int]) -> None:
    aliases = crowned(*versions)
    earlier = aliases.earlier_champions()
    assert aliases.holder(Alias.CHAMPION) == versions[-1]
    assert versions[-1] not in earlier
    assert len(set(earlier)) == len(earlier)
    assert set(earlier) <= set(aliases.ever(Alias.CHAMPION)) == set(versions)


def test_a_version_without_an_alias_holds_none() -> None:
    aliases = Aliases((*crowned(1).history, AliasChange(1, None, "decayed", "", AT, 2)))
    assert aliases.holder(Alias.CHAMPION) is None
    assert aliases.of(1) is aliases.of(7) is None
    assert aliases.ever(Alias.CHAMPION) == (1,)


@pytest.mark.parametrize(
    "other",
    [
        ("xgboost", ("a", "b"), FILES),
        ("ridge", ("b", "a"), FILES),
        ("ridge", ("a", "b", "c"), FILES),
        ("ridge", ("a", "b"), file_digests({"ridge.json": b"{ }"})),
        ("ridge", ("a", "b"), file_digests({"other.json": b"{}"})),
        ("ridge", ("a", "b"), file_digests({"ridge.json": b"{}", "more.json": b""})),
    ],
)
def test_any_difference_makes_another_digest(other: tuple[str, tuple[str, ...], dict[str, str]]) -> None:
    assert model_digest(*other) != model_digest("ridge", ("a", "b"), FILES)


def test_the_order_of_keys_makes_no_other_text() -> None:
    assert canonical({"b": 1, "a": [1.5, "é"]}) == canonical({"a": [1.5, "é"], "b": 1}) == '{"a":[1.5,"\\u00e9"],"b":1}'
