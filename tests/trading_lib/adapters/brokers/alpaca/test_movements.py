"""Cash that moved without a trade, from Alpaca's activities: all pages, strictly read, by the day."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from tests.peers.brokers.alpaca_account import KEYS, no_pause
from tests.peers.brokers.scripted_answers import Scripted, ScriptedAdapter
from trading_lib.adapters.brokers.alpaca.connection.client import AlpacaConnection
from trading_lib.adapters.brokers.alpaca.connection.session import BoundedSession
from trading_lib.adapters.brokers.alpaca.movements import PAGE, movements_since
from trading_lib.domain.errors import BrokerUnavailableError
from trading_lib.execution.broker import BrokerSetting, Movement, MovementKind

SINCE = datetime(2026, 11, 24, 14, 30, tzinfo=UTC)


def activity(number: int, kind: str = "FEE", **changes: Any) -> dict[str, Any]:
    return {
        "id": f"20261124000000000::{number:06d}", "activity_type": kind, "date": "2026-11-24", "net_amount": "-0.02",
        "description": "REG fee", "status": "executed", **changes,
    }  # fmt: skip


def told(listed: list[dict[str, Any]]) -> tuple[Movement, ...]:
    def answer(method: str, path: str, asked: Mapping[str, str]) -> Scripted:
        assert (path, asked["category"]) == ("/v2/account/activities", "non_trade_activity")
        later = [one for one in listed if str(one["id"]) > asked.get("page_token", "")]
        return 200, later[: int(asked["page_size"])]

    def session() -> BoundedSession:
        made = BoundedSession()
        made.mount("https://", ScriptedAdapter(answer))
        return made

    return asyncio.run(movements_since(AlpacaConnection(BrokerSetting("", KEYS, "paper"), session, no_pause), SINCE))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("FEE", MovementKind.FEE), ("DIV", MovementKind.DIVIDEND), ("DIVNRA", MovementKind.DIVIDEND),
        ("INT", MovementKind.INTEREST), ("CSD", MovementKind.TRANSFER), ("CSW", MovementKind.TRANSFER),
        ("JNLC", MovementKind.TRANSFER), ("SPLIT", MovementKind.SPLIT), ("NEWTYPE", MovementKind.OTHER),
    ],
)  # fmt: skip
def test_a_type_has_its_kind_and_one_that_nobody_knows_keeps_its_name(name: str, kind: MovementKind) -> None:
    (one,) = told([activity(1, name, symbol="SPY")])
    assert (one.kind, one.amount, one.symbol) == (kind, Decimal("-0.02"), "SPY")
    assert one.at == datetime(2026, 11, 24, 5, tzinfo=UTC)
    assert one.description == f"{name} REG fee"
    assert '"net_amount": "-0.02"' in one.raw


@pytest.mark.parametrize("count", [PAGE - 1, PAGE, PAGE + 1, 3 * PAGE])
def test_every_page_is_read(count: int) -> None:
    assert len({one.movement_id for one in told([activity(number) for number in range(count)])}) == count


def test_fills_what_was_struck_and_earlier_days_are_left_out() -> None:
    listed = [
        activity(1, "FILL"), activity(2, status="canceled"), activity(3, date="2026-11-23"), activity(4),
    ]  # fmt: skip
    assert [one.movement_id for one in told(listed)] == ["20261124000000000::000004"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"net_amount": "NaN"}, "net_amount"), ({"net_amount": None}, "net_amount"), ({"net_amount": ""}, "net_amount"),
        ({"date": "soon"}, "date"), ({"date": None}, "date"), ({"activity_type": ""}, "activity_type"),
    ],
)  # fmt: skip
def test_one_activity_that_cannot_be_read_tells_nothing_and_names_the_field(
    changes: dict[str, Any], field: str
) -> None:
    with pytest.raises(BrokerUnavailableError, match=field):
        told([activity(1), activity(2, **changes)])
