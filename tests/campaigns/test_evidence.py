"""The long campaigns' evidence: it is there, it passed, and it says when the code it covers has changed since."""

from __future__ import annotations

import warnings
from collections import Counter
from typing import Any

import pytest

from tests.campaigns.backups.damages import ENCRYPTED, PLAIN
from tests.campaigns.backups.interruptions import DOWNLOADS, UPLOADS
from tests.campaigns.evidence import COVERED, ROOT, is_current, read_evidence
from tests.campaigns.mutants.__main__ import CAMPAIGNS
from tests.campaigns.order_clients.accounts import CLIENTS
from tests.campaigns.order_kills.mutants import NAMES
from tests.campaigns.order_kills.points import POINTS

MUTANTS = [mutant for mutants in CAMPAIGNS.values() for mutant in mutants]


@pytest.mark.parametrize("name", COVERED)
def test_a_campaign_says_when_its_evidence_is_older_than_the_code_it_covers(name: str) -> None:
    evidence = read_evidence(name)
    assert evidence["campaign"] == name
    assert len(evidence["commit"]) == 40
    if not is_current(name):
        warnings.warn(f"evidence/{name}.json is older than the code it covers: run the campaign again", stacklevel=1)


def test_histories_with_faults_ended_like_their_straight_runs() -> None:
    evidence = read_evidence("book_faults")
    assert evidence["histories"] >= 2000
    assert evidence["equal_to_straight_run"] == evidence["histories"]
    assert evidence["share_without_refusal"] >= 0.6


def test_sessions_without_their_database_for_a_while_ended_like_undisturbed_ones() -> None:
    evidence = read_evidence("database_outages")
    assert evidence["sessions"] >= 20
    assert evidence["runs"] == 2 * evidence["sessions"]
    assert len([outage for outage in evidence["outages"] if outage["seconds_down"] >= 20]) >= 5
    assert evidence["failed_runs"] == evidence["differing_tables"] == []
    assert evidence["same_nav"]


def test_damaged_backups_were_refused_and_sound_ones_came_back() -> None:
    evidence = read_evidence("backup_damages")
    assert evidence["damages"] == evidence["refused"] == evidence["untouched"] >= 100
    assert evidence["restores"] == evidence["same_state"] >= 20
    assert evidence["failures"] == []
    assert set(evidence["harms"]) == {harm.__name__ for harm in (*PLAIN, *ENCRYPTED)}
    for peer in evidence["s3"].values():
        requests = peer["requests_of_an_upload"] * len(UPLOADS) + peer["requests_of_a_download"] * len(DOWNLOADS)
        assert peer["interruptions"] == peer["survived"] == requests >= 25


def of_orders(name: str) -> dict[str, Any]:
    """Return the evidence of a campaign of the order path."""
    if name not in COVERED:
        pytest.skip(f"{name} has not been run in full yet")
    return read_evidence(name)


def test_processes_killed_at_every_point_lost_and_doubled_nothing() -> None:
    evidence = of_orders("order_kills")
    assert 20 <= evidence["points"] <= len(POINTS)
    assert set(evidence["by_client"]) == set(CLIENTS)
    assert min(evidence["by_point"].values()) >= 25 * len(CLIENTS)
    assert evidence["duplicate_orders"] == evidence["lost_fills"] == evidence["phantom_positions"] == 0
    assert evidence["findings"] == evidence["not_reached"] == []
    assert set(evidence["mutants_killed"]) == set(NAMES)


def test_histories_with_the_real_clients_lost_and_doubled_nothing() -> None:
    evidence = of_orders("order_clients")
    assert evidence["seeds"] >= 2000
    assert evidence["clients"] == list(CLIENTS)
    assert evidence["findings"] == []


def test_races_made_one_order_of_an_intent() -> None:
    evidence = of_orders("order_races")
    assert min(evidence["retries_at_once"], evidence["locks_lost"]) >= 100
    assert evidence["retries"] >= 20
    assert evidence["databases_killed"] >= 25
    assert evidence["findings"] == []


@pytest.mark.parametrize("campaign", CAMPAIGNS)
def test_every_planted_fault_was_found(campaign: str) -> None:
    evidence = read_evidence(campaign)
    assert evidence["survived"] == []
    assert set(evidence["names"]) == {mutant.name for mutant in CAMPAIGNS[campaign]}


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_planted_fault_still_fits_the_code(mutant: object) -> None:
    assert (ROOT / mutant.file).read_text().count(mutant.old) == 1  # type: ignore[attr-defined]
    assert mutant.old != mutant.new  # type: ignore[attr-defined]


def test_faults_have_names_of_their_own() -> None:
    assert Counter(mutant.name for mutant in MUTANTS).most_common(1)[0][1] == 1
