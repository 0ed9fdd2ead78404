"""The real Yahoo histories: nine in ten faulty ones are flagged, none of the repaired or sound ones."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cases.error_cases import JudgedCase, judge_cases, table_of


@pytest.fixture(scope="module")
def judged(shared_market_data: Path, tmp_path_factory: pytest.TempPathFactory) -> list[JudgedCase]:
    return judge_cases(shared_market_data / "yahoo_error_cases.parquet", tmp_path_factory.mktemp("cases"))


def test_there_are_as_many_as_the_file_describes(judged: list[JudgedCase]) -> None:
    assert len({item.case for item in judged}) == 22
    assert sum(item.faulty for item in judged) == 18


def test_at_least_nine_in_ten_faulty_histories_are_flagged(judged: list[JudgedCase]) -> None:
    faulty = [item for item in judged if item.faulty]
    assert sum(bool(item.flagged) for item in faulty) >= 0.9 * len(faulty), table_of(judged)


def test_no_repaired_or_sound_history_is_flagged(judged: list[JudgedCase]) -> None:
    assert [item.case for item in judged if not item.faulty and item.flagged] == [], table_of(judged)


def test_nothing_at_all_is_found_in_the_sound_ones(judged: list[JudgedCase]) -> None:
    sound = [item for item in judged if item.state == "clean"]
    assert len(sound) == 4
    assert {item.case: item.findings for item in sound if item.findings} == {}


def test_what_is_wrong_with_single_bars_was_not_repaired_either(judged: list[JudgedCase]) -> None:
    """Errors about single bars stand in both versions of a case: they say nothing about its label."""
    by_case: dict[str, set[tuple[str, ...]]] = {}
    for item in judged:
        by_case.setdefault(item.case, set()).add(tuple(sorted(f"{f.session} {f.rule}" for f in item.bar_errors)))
    assert {case for case, versions in by_case.items() if len(versions) > 1} == set()
