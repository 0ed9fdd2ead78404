"""One file of many and back, to a key and back; nothing that was added, taken out or changed gets through."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from trading_lib.adapters.backups.encryption import decrypt, encrypt, new_identity, public_keys
from trading_lib.adapters.backups.packing import LABEL, pack, unpack
from trading_lib.domain.errors import InputError
from trading_lib.monitoring.backup.manifest import BackupDamagedError

LABELLED = {"id": "logs-1", "class": "logs", "database": ""}


@pytest.fixture
def packed(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    folder = tmp_path / "content"
    (folder / "deep").mkdir(parents=True)
    (folder / "a b").write_bytes(b"first")
    (folder / "deep" / "ü").write_bytes(b"")
    (folder / "link").symlink_to(folder / "a b")
    return tmp_path / "content.tar", pack(folder, tmp_path / "content.tar", LABELLED)


def test_files_come_back_and_links_stay_away(packed: tuple[Path, dict[str, str]], tmp_path: Path) -> None:
    file, contents = packed
    assert sorted(contents) == ["a b", "deep/ü"]
    unpack(file, tmp_path / "out", LABELLED, contents, "x")
    assert (tmp_path / "out" / "a b").read_bytes() == b"first"
    assert (tmp_path / "out" / "deep" / "ü").read_bytes() == b""


def rewritten(file: Path, members: dict[str, bytes]) -> None:
    with tarfile.open(file, "w") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))


def members_of(file: Path) -> dict[str, bytes]:
    with tarfile.open(file) as archive:
        return {member.name: archive.extractfile(member).read() for member in archive}  # type: ignore[union-attr]


CHANGES: dict[str, tuple[Callable[[dict[str, bytes]], dict[str, bytes]], str]] = {
    "one more": (lambda members: {**members, "more": b"x"}, "holds a file 'more' that its manifest does not name"),
    "outside": (lambda members: {**members, "../out": b"x"}, "holds a file '../out' that its manifest does not name"),
    "one less": (lambda members: {k: v for k, v in members.items() if k != "a b"}, "lacks a b"),
    "another": (lambda members: {**members, "a b": b"other"}, "holds a changed a b"),
    "no label": (lambda members: {k: v for k, v in members.items() if k != LABEL}, "does not say whose backup it is"),
    "other label": (lambda members: {**members, LABEL: b"{}"}, "holds another backup than its manifest says"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_packed_file_is_exactly_what_its_manifest_says(
    packed: tuple[Path, dict[str, str]], tmp_path: Path, change: str
) -> None:
    file, contents = packed
    alter, said = CHANGES[change]
    rewritten(file, alter(members_of(file)))
    with pytest.raises(BackupDamagedError, match=f"^x {said}"):
        unpack(file, tmp_path / "out", LABELLED, contents, "x")


@pytest.mark.parametrize("kept", [0, 100, 700])
def test_a_file_that_is_no_archive_is_refused(packed: tuple[Path, dict[str, str]], tmp_path: Path, kept: int) -> None:
    file, contents = packed
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(BackupDamagedError):
        unpack(file, tmp_path / "out", LABELLED, contents, "x")


@pytest.fixture
def encrypted(tmp_path: Path) -> Path:
    (tmp_path / "plain").write_bytes(b"x" * 200_000)
    encrypt(
        tmp_path / "plain", tmp_path / "closed", [new_identity(tmp_path / "mine"), new_identity(tmp_path / "drill")]
    )
    return tmp_path / "closed"


@pytest.mark.parametrize("key", ["mine", "drill"])
def test_each_of_the_keys_opens_it(encrypted: Path, tmp_path: Path, key: str) -> None:
    decrypt(encrypted, tmp_path / "open", tmp_path / key, "x")
    assert (tmp_path / "open").read_bytes() == (tmp_path / "plain").read_bytes()
    assert len(public_keys(tmp_path / key)) == 1


@pytest.mark.parametrize("position", [10, 250, 100_000, 190_000])
def test_a_changed_byte_is_found_by_the_key_alone(encrypted: Path, tmp_path: Path, position: int) -> None:
    content = bytearray(encrypted.read_bytes())
    content[position] ^= 1
    encrypted.write_bytes(content)
    with pytest.raises(InputError, match="x"):
        decrypt(encrypted, tmp_path / "open", tmp_path / "mine", "x")


def test_a_file_that_is_cut_off_is_found_by_the_key_alone(encrypted: Path, tmp_path: Path) -> None:
    for length in (0, 20, 300, 100_000):
        encrypted.with_name("cut").write_bytes(encrypted.read_bytes()[:length])
        with pytest.raises(InputError, match="x cannot be decrypted"):
            decrypt(encrypted.with_name("cut"), tmp_path / "open", tmp_path / "mine", "x")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "holds no private age key"),
        ("age1publickey\n", "holds no private age key"),
        ("AGE-SECRET-KEY-1BROKEN\n", "is no age key: copy it again, whole"),
        (None, "cannot be read"),
    ],
)
def test_a_file_that_holds_no_key_is_named(encrypted: Path, tmp_path: Path, content: str | None, said: str) -> None:
    if content is not None:
        (tmp_path / "key").write_text(content)
    with pytest.raises(InputError, match=said) as caught:
        decrypt(encrypted, tmp_path / "open", tmp_path / "key", "x")
    assert "BROKEN" not in str(caught.value)


def test_a_mistyped_recipient_and_a_folder_that_is_not_there_are_named(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"x")
    with pytest.raises(InputError, match=r"one of recipients in backup.yaml is no public key: age1q"):
        encrypt(tmp_path / "plain", tmp_path / "closed", ["age1" + "q" * 58])
    with pytest.raises(InputError, match=r"nowhere/key\.txt"):
        new_identity(tmp_path / "nowhere" / "key.txt")
