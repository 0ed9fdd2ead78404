"""The short form of `make wal-kills`, and its evidence."""

from __future__ import annotations

import pytest

from tests.campaigns.evidence import read_evidence
from tests.campaigns.wal.kills import WalKills


@pytest.mark.postgres
def test_no_acknowledged_row_is_lost_by_kills_and_restores_hold_the_rows_of_their_moment() -> None:
    found = WalKills(seed=5, kills=5, restores=2).run()
    assert found["acknowledged_cycles"] >= 15
    assert found["receiver_kills"] >= 1
    assert found["acknowledged_and_lost"] == found["half_applied"] == 0
    assert len(found["restores"]) == 3
    assert found["differing_restores"] == []


def test_fifty_kills_lost_nothing() -> None:
    evidence = read_evidence("wal_kills")
    assert evidence["kills"] >= 50
    assert evidence["acknowledged_and_lost"] == evidence["half_applied"] == 0
    assert len(evidence["restores"]) >= 6
    assert evidence["differing_restores"] == []
