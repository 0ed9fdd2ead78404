"""Rules of users' own lower weights, sell what is above a ceiling, never raise anything, and fail safely."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.builders.decisions import (
    make_assessment,
    make_portfolio,
    make_regime,
    make_signals,
    make_state,
    make_targets,
)
from tests.builders.markets import ASSETS, UNIVERSE, at, make_view, vector
from trading_lib.decision import held_weights, order_stage, risk_stage
from trading_lib.decision_config import DecisionConfig
from trading_lib.domain.book.orders import OrderPurpose, Side
from trading_lib.domain.book.portfolio import Portfolio
from trading_lib.domain.decision.risk import RULE_FAULT, RiskAssessment
from trading_lib.domain.errors import ConfigurationError
from trading_lib.domain.market.prices import FloatArray
from trading_lib.risk.assess import assess_risk
from trading_lib.risk.config import RiskConfig
from trading_lib.risk.limits import own_rules
from trading_lib.risk.limits.own_rules import Ceiling, RiskView, apply_rules, register_rule, running_rules
from trading_lib.risk.rationale import buy_restriction_steps
from trading_lib.workflows.trade.stage_records import assessment_from, assessment_record

Answer = Callable[[RiskView], Any]
FIRST, SECOND = "first.py:First", "second.py:Second"


class Asked:
    """A rule that answers what a test wants."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    def ceilings(self, risk: RiskView) -> Mapping[str, Ceiling]:
        return self._answer(risk)  # type: ignore[no-any-return]


@pytest.fixture(autouse=True)
def _registry() -> Iterator[None]:
    known = dict(own_rules._factories)
    yield
    own_rules._factories.clear()
    own_rules._factories.update(known)
    own_rules._newest_running.clear()


def configured(**answers: Answer) -> RiskConfig:
    """A configuration with the rules ``first`` and, if given, ``second``."""
    names = {"first": FIRST, "second": SECOND}
    for name, answer in answers.items():
        register_rule(names[name], lambda answer=answer: Asked(answer))
    return RiskConfig(rules=tuple(names[name] for name in answers))


def applied(
    config: RiskConfig, approved: FloatArray, portfolio: Portfolio | None = None, **fields: Any
) -> RiskAssessment:
    view, book = make_view(), portfolio or make_portfolio(100_000)
    held = held_weights(UNIVERSE, book)
    return apply_rules(view, approved, held, book, make_assessment(approved, **fields), config.rules)


def lowering(**weights: float) -> Answer:
    return lambda risk: {symbol: Ceiling(weight, f"{symbol} is too much") for symbol, weight in weights.items()}


def test_without_rules_the_same_object_comes_back() -> None:
    assessment, book = make_assessment(vector(0.1)), make_portfolio(100_000)
    assert apply_rules(make_view(), vector(0.1), vector(0.0), book, assessment, ()) is assessment


def test_a_weight_is_lowered_and_the_rule_named() -> None:
    found = applied(configured(first=lowering(SPY=0.05)), vector(0.0, SPY=0.2, GLD=0.1))
    np.testing.assert_array_equal(found.weights, vector(0.0, SPY=0.05, GLD=0.1))
    assert found.clips == {"SPY": (FIRST,)}
    (said,) = found.rule_ceilings
    assert (said.rule, said.symbol, said.before, said.weight, said.reason) == (
        FIRST, "SPY", 0.2, 0.05, "SPY is too much",
    )  # fmt: skip
    assert np.isinf(found.ceilings).all()
    assert found.may_increase.all()
    assert found.events == ()


def test_of_two_rules_the_lower_ceiling_counts_and_both_see_the_same() -> None:
    seen: list[float] = []

    def second(risk: RiskView) -> Mapping[str, Ceiling]:
        seen.append(float(risk.approved[at("SPY")]))
        return lowering(SPY=0.15, GLD=0.02)(risk)  # type: ignore[no-any-return]

    found = applied(configured(first=lowering(SPY=0.05), second=second), vector(0.0, SPY=0.2, GLD=0.1))
    np.testing.assert_array_equal(found.weights, vector(0.0, SPY=0.05, GLD=0.02))
    assert seen == [0.2]
    assert found.clips == {"SPY": (FIRST,), "GLD": (SECOND,)}


def test_what_is_held_above_a_ceiling_is_sold_whatever_the_daily_limits() -> None:
    book = make_portfolio(60_000, SPY=(300, 100, 100), GLD=(100, 100, 100))
    config = DecisionConfig(risk=configured(first=lowering(SPY=0.255)))
    config = config.model_copy(update={"orders": config.orders.model_copy(update={"max_daily_trades": 0})})
    view, held = make_view(), held_weights(UNIVERSE, book)
    targets = make_targets(held)
    found = risk_stage(view, make_regime(), make_signals(), targets, held, book, make_state(), config)
    assert found.ceilings[at("SPY")] == 255.0
    (order,) = order_stage(view, make_signals(), targets, found, held, book, "book", config).orders
    assert (order.symbol, order.side, order.quantity, order.purpose) == ("SPY", Side.SELL, 45, OrderPurpose.RISK)
    assert order.reason == f"risk rule {FIRST}: SPY is too much"


def test_a_lower_ceiling_of_the_systems_own_stays() -> None:
    book = make_portfolio(60_000, SPY=(400, 100, 100))
    stopped = vector(np.inf, SPY=100.0)
    config, reasons = configured(first=lowering(SPY=0.3)), {"SPY": "a stop"}
    found = applied(config, vector(0.0, SPY=0.4), book, ceilings=stopped, ceiling_reasons=reasons)
    assert found.ceilings[at("SPY")] == 100.0
    assert found.ceiling_reasons == {"SPY": "a stop"}


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (lambda risk: None, "ceilings answers NoneType, not a mapping of symbols to Ceiling"),
        (lambda risk: {"SPX": Ceiling(0.0, "why")}, "ceilings names 'SPX', which is not in the universe"),
        (lambda risk: {"SPY": 0.1}, "ceilings answers float for SPY, not Ceiling"),
        (lambda risk: {"SPY": Ceiling("much", "why")}, "ceilings answers str as the weight of SPY, not a number"),
        (lambda risk: {"SPY": Ceiling(float("nan"), "why")}, "ceilings answers nan as the weight of SPY"),
        (lambda risk: {"SPY": Ceiling(-0.1, "why")}, "ceilings answers -0.1 as the weight of SPY"),
        (lambda risk: {"SPY": Ceiling(0.3, "why")}, "ceilings raises SPY to 30.00% where 20.00% is allowed"),
        (lambda risk: {"SPY": Ceiling(0.1, " ")}, "ceilings gives no reason for SPY"),
        (lambda risk: {}["nothing"], "ceilings failed: KeyError: 'nothing'"),
    ],
)
def test_a_rule_that_fails_lets_nothing_be_bought_and_everything_be_sold(answer: Answer, problem: str) -> None:
    book = make_portfolio(80_000, SPY=(100, 100, 100), GLD=(100, 100, 100))
    found = applied(configured(first=answer), vector(0.0, SPY=0.2, GLD=0.05), book)
    np.testing.assert_array_equal(found.weights, vector(0.0, SPY=0.1, GLD=0.05))
    assert not found.may_increase.any()
    (event,) = found.events
    assert event.kind == RULE_FAULT
    assert event.reason.startswith(f"risk rule {FIRST} failed, so nothing is bought: {problem}")
    assert found.rule_faults == (event.reason,)
    assert found.clips == {"SPY": (FIRST,)}


def test_after_a_fault_the_other_rules_are_asked_all_the_same() -> None:
    book = make_portfolio(80_000, SPY=(100, 100, 100), GLD=(100, 100, 100))
    found = applied(configured(first=lambda risk: None, second=lowering(GLD=0.05)), vector(0.0, SPY=0.2, GLD=0.1), book)
    assert found.ceilings[at("GLD")] == 50.0
    assert found.weights[at("GLD")] == 0.05


@given(st.integers(0, 2**32 - 1))
def test_whatever_a_rule_answers_no_weight_and_no_ceiling_rises(seed: int) -> None:
    draw = np.random.default_rng(seed)
    approved = draw.random(ASSETS) * 0.3
    names = draw.choice(UNIVERSE.symbols, 4, replace=False)
    answer = {str(name): Ceiling(float(draw.uniform(0.0, 0.4)), "why") for name in names}
    book = make_portfolio(80_000, SPY=(100, 100, 100), GLD=(100, 100, 100))
    plain = make_assessment(approved)
    found = applied(configured(first=lambda risk: answer), approved, book)
    assert (found.weights <= plain.weights).all()
    assert (found.ceilings <= plain.ceilings).all()
    assert (found.may_increase <= plain.may_increase).all()


def test_an_explanation_ends_at_the_approved_weights_and_names_the_rule() -> None:
    config, book = configured(first=lowering(SPY=0.05), second=lowering(SPY=0.03, GLD=0.02)), make_portfolio(100_000)
    view, signals, held = make_view(), make_signals(1), vector(0.0)
    targets, state = make_targets(vector(0.1)), make_state(reference_peak=107_000.0)
    plain = assess_risk(view, make_regime(), signals, targets, held, book, state, config)
    found = apply_rules(view, targets.weights, held, book, plain, config.rules)
    steps = buy_restriction_steps(view, signals, targets, held, book, found, config)
    assert [step.rule for step in steps][-2:] == [FIRST, SECOND]
    assert steps[-2].details == {at("SPY"): "SPY is too much"}
    assert steps[-1].details == {at("SPY"): "SPY is too much", at("GLD"): "GLD is too much"}
    np.testing.assert_array_equal(steps[-1].after, found.weights)
    for before, after in pairwise(steps):
        np.testing.assert_array_equal(before.after, after.before)


def test_what_a_rule_said_is_stored_and_read_back() -> None:
    found = applied(configured(first=lowering(SPY=0.05)), vector(0.0, SPY=0.2))
    record = assessment_record(found)
    assert record["rule_ceilings"] == [
        {"rule": FIRST, "symbol": "SPY", "before": 0.2, "weight": 0.05, "reason": "SPY is too much"}
    ]
    assert assessment_from(record, found.next_state, found.events).rule_ceilings == found.rule_ceilings


def test_without_rules_the_stored_record_is_as_before() -> None:
    assert "rule_ceilings" not in assessment_record(make_assessment(vector(0.1)))


@pytest.mark.parametrize(
    ("rule", "problem"),
    [
        (lambda: object(), "has no method ceilings"),
        (lambda share: Asked(lambda risk: {}), "cannot be created from {}: .*share"),
    ],
)
def test_a_rule_that_cannot_be_asked_is_told(rule: Callable[..., Any], problem: str) -> None:
    register_rule(FIRST, rule)
    with pytest.raises(ConfigurationError, match=f"risk rule {FIRST} {problem}"):
        running_rules(RiskConfig(rules=(FIRST,)).rules)


def test_an_unknown_rule_is_told() -> None:
    with pytest.raises(ConfigurationError, match=r"there is no risk rule 'nobody\.py:Nobody'"):
        running_rules(RiskConfig(rules=("nobody.py:Nobody",)).rules)


@pytest.mark.parametrize("rules", [("calm",), (":Calm",), ("calm.py:not a name",), (FIRST, FIRST)])
def test_a_reference_that_is_none_or_given_twice_is_refused(rules: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=r"names no class|names one twice"):
        RiskConfig(rules=rules)
