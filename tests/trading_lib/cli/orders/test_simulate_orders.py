"""`trading simulate-orders` by its command: what it prints, and its exit codes."""

from __future__ import annotations

import json

import pytest

from tests.environment.command_line import run


def test_a_clean_campaign_ends_well_and_the_same_seeds_have_the_same_digest(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("simulate-orders", "--seeds", "200", "--from", "7", "--json") == 0
    first = json.loads(capsys.readouterr().out)
    assert set(first) == {
        "seeds", "events", "crashes", "duplicate_orders", "lost_fills", "phantom_positions", "stuck", "first_failure",
        "digest",
    }  # fmt: skip
    assert (first["seeds"], first["first_failure"]) == (200, None)
    assert run("simulate-orders", "--seeds", "200", "--from", "7", "--json") == 0
    assert json.loads(capsys.readouterr().out) == first


def test_a_planted_bug_is_exit_code_1_and_its_seed_is_told_with_what_happened(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run("simulate-orders", "--seeds", "2000", "--mutant", "status-stored-after-sending", "--json") == 1
    failure = json.loads(capsys.readouterr().out)["first_failure"]
    assert failure["trace"]
    seed = str(failure["seed"])
    assert run("simulate-orders", "--seeds", "1", "--from", seed, "--mutant", "status-stored-after-sending") == 1
    assert f"seed {seed}" in capsys.readouterr().out
    assert run("simulate-orders", "--seeds", "1", "--from", seed) == 0


def test_a_bug_that_is_not_there_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("simulate-orders", "--mutant", "window-11-s") == 2
    assert "there is no planted bug 'window-11-s'" in capsys.readouterr().err
