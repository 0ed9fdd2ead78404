"""A manifest comes back as it was written, and nothing else does."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading_lib.monitoring.backup.config import BackupConfig, RetentionConfig
from trading_lib.monitoring.backup.manifest import (
    BackupClass,
    BackupDamagedError,
    Manifest,
    contents_hash,
    read_manifest,
    state_hash,
)
from trading_lib.monitoring.backup.retention import at_or_before, expired

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
MANIFEST = Manifest(
    id="database-20261120T120000.000000Z-trading-0a1b2c",
    kind=BackupClass.DATABASE,
    database="trading",
    started_at=NOON,
    ended_at=NOON + timedelta(minutes=2),
    file="content.tar.age",
    size=12345,
    sha256="ab" * 32,
    contents={"toc.dat": "cd" * 32},
    pg_version="18.4",
    schema_revision="0013",
    tables={"bars": 3},
    sums={"bars": "-17"},
    state_hash=state_hash({"bars": 3}, {"bars": "-17"}),
    audit_head="ef" * 32,
    config_hash="0123456789abcdef",
    code_version="0.1.0",
    encrypted_to=("age1" + "q" * 58,),
    verified_at=NOON + timedelta(minutes=2),
)
WRITTEN = MANIFEST.written()


def made(at: datetime, kind: BackupClass = BackupClass.DATABASE, database: str = "trading") -> Manifest:
    return replace(MANIFEST, id=f"{kind}-{at:%Y%m%dT%H%M%S}-{database}", started_at=at, kind=kind, database=database)


def test_it_comes_back_as_it_was_written() -> None:
    assert read_manifest(WRITTEN, MANIFEST.manifest_key) == MANIFEST


def test_it_has_the_fields_that_were_agreed() -> None:
    agreed = {
        *("id", "class", "started_at", "ended_at", "size", "sha256", "pg_version", "schema_revision", "tables"),
        *("state_hash", "encrypted_to", "verified_at"),
    }
    assert agreed <= set(json.loads(WRITTEN))


@given(st.integers(0, len(WRITTEN) - 1), st.integers(1, 255))
def test_every_changed_byte_is_noticed(position: int, mask: int) -> None:
    changed = bytearray(WRITTEN)
    changed[position] ^= mask
    with suppress(BackupDamagedError):
        # A space between two fields says nothing.
        assert read_manifest(bytes(changed), MANIFEST.manifest_key) == MANIFEST


@given(st.integers(0, len(WRITTEN) - 1))
def test_a_cut_off_one_is_refused(length: int) -> None:
    with pytest.raises(BackupDamagedError):
        read_manifest(WRITTEN[:length], MANIFEST.manifest_key)


def test_another_backups_manifest_is_refused_by_name() -> None:
    with pytest.raises(BackupDamagedError, match="belongs to another backup, database-20261120T120000"):
        read_manifest(WRITTEN, "database/database-other/manifest.json")


def test_a_later_format_names_the_way_out() -> None:
    from trading_lib.monitoring.backup import manifest as module

    record = json.loads(WRITTEN)
    record["format"] = 2
    del record["manifest_sha256"]
    record["manifest_sha256"] = module._digest(record)
    with pytest.raises(BackupDamagedError, match="format 2, this version reads 1: restore it with the version"):
        read_manifest(json.dumps(record).encode(), MANIFEST.manifest_key)


@pytest.mark.parametrize("name", ["tables", "started_at", "class", "file"])
def test_a_missing_field_is_named(name: str) -> None:
    from trading_lib.monitoring.backup import manifest as module

    record = json.loads(WRITTEN)
    del record[name], record["manifest_sha256"]
    record["manifest_sha256"] = module._digest(record)
    with pytest.raises(BackupDamagedError, match=name):
        read_manifest(json.dumps(record).encode(), MANIFEST.manifest_key)


def test_hashes_tell_states_apart() -> None:
    assert state_hash({"a": 1, "b": 2}, {"a": "5", "b": "6"}) == state_hash({"b": 2, "a": 1}, {"b": "6", "a": "5"})
    assert state_hash({"a": 1}, {"a": "5"}) != state_hash({"a": 1}, {"a": "6"})
    assert contents_hash({"a": "1"}) != contents_hash({"b": "1"})


def test_each_class_expires_by_its_own_age_and_the_newest_stay() -> None:
    retention = RetentionConfig(at_least=1)
    stored = [made(NOON - timedelta(days=age), kind) for kind in BackupClass for age in (0, 29, 31, 89, 91, 364, 366)]
    gone = expired(stored, NOON, retention)
    ages = {
        kind: sorted((NOON - manifest.started_at).days for manifest in gone if manifest.kind is kind)
        for kind in BackupClass
    }
    assert ages == {
        BackupClass.DATABASE: [31, 89, 91, 364, 366],
        BackupClass.STATE: [91, 364, 366],
        BackupClass.CONFIG: [366],
        BackupClass.LOGS: [91, 364, 366],
    }


def test_the_last_backups_of_each_database_stay_at_any_age() -> None:
    old = [made(NOON - timedelta(days=900 + n), database=name) for n in range(5) for name in ("trading", "airflow")]
    gone = expired(old, NOON, RetentionConfig(at_least=2))
    kept = {manifest.id for manifest in old} - {manifest.id for manifest in gone}
    assert kept == {manifest.id for manifest in old if (NOON - manifest.started_at).days in (900, 901)}


def test_the_newest_not_after_a_moment() -> None:
    stored = [made(NOON - timedelta(hours=n)) for n in range(4)]
    assert at_or_before(stored, NOON - timedelta(minutes=90)) == stored[2]
    assert at_or_before(stored, NOON) == stored[0] == at_or_before(stored, None)
    assert at_or_before(stored, NOON - timedelta(days=1)) is None


def test_a_private_key_in_the_configuration_is_refused_and_not_repeated() -> None:
    with pytest.raises(ValueError, match="this is a private key") as caught:
        BackupConfig(recipients=("AGE-SECRET-KEY-1QQQ",))
    assert "1QQQ" not in caught.value.errors()[0]["msg"]
    with pytest.raises(ValueError, match="is no age public key"):
        BackupConfig(recipients=("age1x",))


@pytest.mark.parametrize(
    ("name", "value"),
    [("tables", {"bars": "many"}), ("size", "12"), ("sha256", 7), ("file", ".."), ("code_version", None)],
)
def test_a_value_of_another_kind_is_damage(name: str, value: object) -> None:
    from trading_lib.monitoring.backup import manifest as module

    record = {**json.loads(WRITTEN), name: value}
    del record["manifest_sha256"]
    record["manifest_sha256"] = module._digest(record)
    with pytest.raises(BackupDamagedError, match="lacks a field or has a wrong one"):
        read_manifest(json.dumps(record).encode(), MANIFEST.manifest_key)
