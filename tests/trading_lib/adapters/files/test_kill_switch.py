"""The kill switch is a file, and whatever is wrong with it means that trading is halted."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.builders.prices import instant
from trading_lib.adapters.files.kill_switch import KillSwitch

NOON = instant("2024-01-03 12:00")


@pytest.fixture
def switch(tmp_path: Path) -> KillSwitch:
    return KillSwitch(tmp_path / "state" / "kill-switch")


def test_it_is_off_until_it_is_turned_on_and_off_again_after(switch: KillSwitch) -> None:
    assert not switch.is_on()
    assert switch.describe() == {"on": False}
    switch.turn_on("a test", NOON)
    assert switch.is_on()
    assert switch.describe() == {
        "on": True,
        "reason": "a test",
        "since": "2024-01-03T12:00:00+00:00",
        "cancel_working": False,
        "allow_reducing": False,
    }
    switch.turn_off()
    assert not switch.is_on()
    switch.turn_off()


def test_the_first_reason_stays(switch: KillSwitch) -> None:
    switch.turn_on("first", NOON)
    switch.turn_on("second", instant("2024-01-04"))
    assert switch.describe()["reason"] == "first"


@pytest.mark.parametrize("content", [b"", b"{broken", b"\xff\xfe", b"[1, 2]", b"null", b'"halt"', b'{"on": false}'])
def test_whatever_the_file_holds_trading_is_halted(switch: KillSwitch, content: bytes) -> None:
    switch.path.parent.mkdir()
    switch.path.write_bytes(content)
    assert switch.is_on()
    assert switch.describe()["on"] is True
    if content != b'{"on": false}':
        assert switch.describe()["reason"] == "unreadable file"
    assert not switch.state().allow_reducing
    assert switch.state().halts(reducing=True)


def test_what_reduces_risk_passes_only_when_it_was_asked_for(switch: KillSwitch) -> None:
    assert not switch.state().halts(reducing=False)
    switch.turn_on("careful", NOON)
    assert switch.state().halts(reducing=True)
    switch.turn_on("again", NOON, allow_reducing=True)
    assert not switch.state().halts(reducing=True)
    assert switch.state().halts(reducing=False)
    # Nobody who says nothing of it changes it; what trips the switch takes it back.
    switch.turn_on("again", NOON)
    assert not switch.state().halts(reducing=True)
    switch.turn_on("runaway", NOON, allow_reducing=False)
    assert switch.state().halts(reducing=True)
    assert switch.state().reason == "careful"


@pytest.mark.parametrize("content", ['{"allow_reducing": "yes"}', '{"allow_reducing": 1, "cancel_working": "true"}'])
def test_a_wish_that_is_not_plainly_said_is_none(switch: KillSwitch, content: str) -> None:
    switch.path.parent.mkdir()
    switch.path.write_text(content)
    assert switch.state().halts(reducing=True)
    assert not switch.state().cancel_working


def test_the_wish_to_cancel_is_added_and_stays(switch: KillSwitch) -> None:
    switch.turn_on("first", NOON)
    switch.turn_on("second", NOON, cancel_working=True)
    switch.turn_on("third", NOON)
    assert (switch.state().cancel_working, switch.state().reason) == (True, "first")
    switch.turn_off()
    switch.turn_on("new", NOON)
    assert (switch.state().cancel_working, switch.state().reason) == (False, "new")


def test_another_process_sees_it_and_it_survives_this_one(switch: KillSwitch) -> None:
    code = (
        "from datetime import UTC, datetime\nfrom pathlib import Path\n"
        "from trading_lib.adapters.files.kill_switch import KillSwitch\n"
        f"KillSwitch(Path({str(switch.path)!r})).turn_on('theirs', datetime.now(UTC))\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert KillSwitch(switch.path).state().reason == "theirs"


def test_of_many_that_turn_it_on_at_once_one_reason_stays_and_no_wish_is_lost(switch: KillSwitch) -> None:
    for round_number in range(20):
        with ThreadPoolExecutor(8) as pool:
            befores = list(
                pool.map(lambda n: switch.turn_on(f"writer {n}", NOON, cancel_working=n == 3), range(8), timeout=30)
            )
        first = [before for before in befores if not before.on]
        assert len(first) == 1, round_number
        assert {before.reason for before in befores if before.on} == {switch.state().reason}
        assert switch.state().cancel_working
        switch.turn_off()


def test_a_link_into_nowhere_and_a_folder_are_switches(switch: KillSwitch) -> None:
    switch.path.parent.mkdir()
    switch.path.symlink_to("nowhere")
    assert switch.state().halts(reducing=True)
    switch.turn_off()
    assert not switch.is_on()
    switch.path.mkdir()
    assert switch.state().halts(reducing=True)


def test_a_disk_without_space_halts_trading_too(switch: KillSwitch, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("trading_lib.adapters.files.kill_switch.write_whole", full)
    switch.turn_on("a test", NOON)
    assert switch.state().halts(reducing=True)
