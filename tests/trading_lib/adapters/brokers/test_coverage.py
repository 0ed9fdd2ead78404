"""The list of what other systems ask of an adapter is complete, and each rule that it names exists and is run."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.contracts.broker_contract import BrokerContract
from tests.contracts.broker_coverage import LEAN, LEAN_CASES, NAUTILUS, NAUTILUS_CARDS, NOT_APPLICABLE
from tests.contracts.priced_order_contract import PricedOrderContract

FOLDER = Path(__file__).parent
CONTRACTS = {"BrokerContract": BrokerContract, "PricedOrderContract": PricedOrderContract}


def exists(rule: str) -> bool:
    """Whether a rule is a test of a contract, or of an adapter's tests."""
    file, _, name = rule.partition("::")
    if name:
        tree = ast.parse((FOLDER / file).read_text(encoding="utf-8"))
        return any(isinstance(one, ast.FunctionDef) and one.name == name for one in tree.body)
    contract, _, name = rule.partition(".")
    return name.startswith("test_") and callable(getattr(CONTRACTS[contract], name, None))


def test_every_card_and_case_is_covered_or_does_not_apply() -> None:
    covered = [*NAUTILUS, *LEAN]
    assert sorted([*covered, *NOT_APPLICABLE]) == sorted([*NAUTILUS_CARDS, *LEAN_CASES])
    assert all(NOT_APPLICABLE.values())
    assert len(NAUTILUS) >= 20
    assert len(LEAN_CASES) == 12


@pytest.mark.parametrize("asked", sorted([*NAUTILUS, *LEAN]))
def test_each_named_rule_exists(asked: str) -> None:
    rules = {**NAUTILUS, **LEAN}[asked]
    assert rules
    assert [rule for rule in rules if not exists(rule)] == []


def test_a_rule_that_is_none_is_found_out() -> None:
    assert not exists("BrokerContract.test_nothing_of_the_kind")
    assert not exists("BrokerContract.harness")
    assert not exists("alpaca/test_answers.py::test_nothing_of_the_kind")


@pytest.mark.parametrize("contract", sorted(CONTRACTS))
def test_the_adapters_of_real_brokers_keep_both_contracts(contract: str) -> None:
    for file in ("alpaca/test_broker.py",):
        tree = ast.parse((FOLDER / file).read_text(encoding="utf-8"))
        bases = [ast.unparse(base) for one in tree.body if isinstance(one, ast.ClassDef) for base in one.bases]
        assert contract in bases
