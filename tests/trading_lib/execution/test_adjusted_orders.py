"""Which quantities of a broker's order are those of ours after a split."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest

from tests.builders.books import order as made_order
from trading_lib.execution.adjusted_orders import adjusted_by
from trading_lib.execution.broker import BrokerOrder, BrokerStatus

ORDER = made_order("SPY", quantity=Decimal(105))


def at_broker(quantity: str, broker_order_id: str = "b1") -> BrokerOrder:
    identity = ORDER.client_order_id
    return BrokerOrder(
        identity, broker_order_id, "SPY", ORDER.side, Decimal(quantity), Decimal(0), BrokerStatus.WORKING
    )


@pytest.mark.parametrize(
    ("quantity", "ratio"),
    [
        ("315", Fraction(3)),
        ("2100", Fraction(20)),
        ("157.5", Fraction(3, 2)),
        ("10.5", Fraction(1, 10)),
        ("105", None),
        ("106", None),
        ("100", None),
        ("0", None),
        ("-315", None),
        ("Infinity", None),
    ],
)
def test_only_a_ratio_of_a_split_is_an_adjustment(quantity: str, ratio: Fraction | None) -> None:
    assert adjusted_by(at_broker(quantity), ORDER, "b1") == ratio


@pytest.mark.parametrize(("ours", "theirs"), [("b1", "b2"), ("", ""), ("", "b1")])
def test_an_order_whose_id_at_the_broker_is_another_or_not_known_is_not_taken_for_ours(ours: str, theirs: str) -> None:
    assert adjusted_by(at_broker("315", theirs), ORDER, ours) is None
