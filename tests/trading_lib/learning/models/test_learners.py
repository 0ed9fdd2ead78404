"""Every learner keeps the contract."""

from __future__ import annotations

import pytest

from tests.contracts.model_contract import CONFIG, ModelContract
from trading_lib.domain.errors import InputError
from trading_lib.learning.models.learners import LEARNERS, make_learner


class TestRidge(ModelContract):
    kind = "ridge"


class TestLightgbm(ModelContract):
    kind = "lightgbm"


class TestXgboost(ModelContract):
    kind = "xgboost"
    precision = 1e-6


class TestEnsemble(ModelContract):
    kind = "ensemble"


def test_every_learner_is_held_to_the_contract() -> None:
    assert {contract.kind for contract in ModelContract.__subclasses__()} == set(LEARNERS)


def test_an_unknown_name_is_refused_with_those_there_are() -> None:
    with pytest.raises(InputError, match="did you mean xgboost"):
        make_learner("xgbost", CONFIG)
