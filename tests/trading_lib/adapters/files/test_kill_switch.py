"""The kill switch is a file, and whatever is wrong with it means that trading is halted."""

from __future__ import annotations

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
    assert switch.describe() == {"on": True, "reason": "a test", "since": "2024-01-03T12:00:00+00:00"}
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
