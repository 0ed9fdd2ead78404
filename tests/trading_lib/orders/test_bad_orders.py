"""A unit beyond a limit an order is refused for it, on the limit it passes; and no check can be left out."""

from __future__ import annotations

from collections import Counter
from types import FunctionType

import pytest

from tests.campaigns.bad_orders.perturbations import MAKERS, Perturbed, pairs
from trading_lib.domain.errors import UnknownSymbolError
from trading_lib.orders.pre_trade import deny_reason, refusal_kind
from trading_lib.orders.pre_trade_checks import CHECKS, Check

ORDERS, SEED = 50_000, 20_240_103


def test_on_its_limit_an_order_passes_and_a_unit_beyond_it_is_refused_for_it() -> None:
    seen: Counter[str] = Counter()
    for pair in pairs(SEED, ORDERS):
        assert deny_reason(*pair.inside) is None, pair
        reason = deny_reason(*pair.beyond)
        assert pair.words in (reason or ""), pair
        assert refusal_kind(reason or "") != "other"
        seen[pair.check] += 1
    assert len(seen) == len(MAKERS)
    assert min(seen.values()) > ORDERS / 2 / len(MAKERS) / 2


def is_refused(pair: Perturbed, checks: list[Check]) -> bool:
    try:
        return deny_reason(*pair.beyond, checks) is not None
    except UnknownSymbolError:
        # The other checks take it that somebody has looked whether there is such a symbol.
        return False


# Hedges have a generator of their own: tests/trading_lib/orders/test_hedge.py.
@pytest.mark.parametrize("removed", [check for check in CHECKS if check.__name__ != "hedge"], ids=lambda c: c.__name__)
def test_without_any_one_check_an_order_passes_that_must_not(removed: FunctionType) -> None:
    left = [check for check in CHECKS if check is not removed]
    made_for_it = [pair for pair in pairs(SEED, 2_000) if pair.check == removed.__name__]
    assert made_for_it
    assert not all(is_refused(pair, left) for pair in made_for_it)
    assert all(is_refused(pair, [*CHECKS]) for pair in made_for_it)
