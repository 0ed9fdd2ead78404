"""Every learner keeps the contract."""

from __future__ import annotations

import signal

import numpy as np
import pytest
import xgboost

from tests.contracts.model_contract import CONFIG, DATA, ModelContract
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


def test_ctrl_c_while_xgboost_bins_rows_is_heard_when_they_are_binned(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library calls back to Python meanwhile, and would lose it there."""
    binned: list[object] = []
    whole = xgboost.QuantileDMatrix

    def interrupted(*given: object, **options: object) -> object:
        signal.raise_signal(signal.SIGINT)
        binned.append(whole(*given, **options))
        return binned[0]

    monkeypatch.setattr(xgboost, "QuantileDMatrix", interrupted)
    # A process of the background ignores Ctrl-C, and its tests with it.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            make_learner("xgboost", CONFIG).fit(DATA, np.arange(len(DATA)), 0)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert len(binned) == 1
