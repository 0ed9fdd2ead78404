"""What every `RiskRule` must keep to. A rule's test class inherits `RiskRuleContract` and says where the rule binds."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import fields, replace

import numpy as np
import pytest

from tests.builders.markets import ASSETS, UNIVERSE, make_view
from trading_lib.domain.market.prices import FloatArray
from trading_lib.risk.limits.own_rules import Ceiling, RiskRule, RiskView

SEEDS = range(40)
UNKNOWN = float("nan")


def risk_view(approved: FloatArray, held: FloatArray | None = None, index: float = 15.0, **columns: object) -> RiskView:
    """A session at level 0 in which ``approved`` weights are wanted and allowed."""
    view = RiskView(
        market=make_view(volatility_index=index),
        level=0,
        floor=0,
        effective_level=0,
        drawdown=0.0,
        model_volatility=0.10,
        average_correlation=0.1,
        largest_correlation=0.2,
        nav=100_000.0,
        cash=100_000.0,
        held=np.zeros(ASSETS) if held is None else held,
        targets=approved.copy(),
        approved=approved,
        may_increase=np.ones(ASSETS, np.bool_),
    )
    return replace(view, **columns)  # type: ignore[arg-type]


def any_session(seed: int) -> RiskView:
    """A session of any kind: calm or falling, with holdings or without, with numbers that nobody knows yet."""
    draw = np.random.default_rng(seed)
    level = int(draw.integers(0, 5))
    approved = draw.random(ASSETS) * 0.3 * (draw.random(ASSETS) < 0.6)
    held = draw.random(ASSETS) * 0.3 * (draw.random(ASSETS) < 0.6)
    figures = [UNKNOWN if draw.random() < 0.2 else float(draw.random()) for _ in range(3)]
    return risk_view(
        approved * (level < 4),
        held,
        index=UNKNOWN if draw.random() < 0.1 else float(draw.uniform(9.0, 90.0)),
        level=level,
        effective_level=level,
        drawdown=level * 0.04,
        model_volatility=figures[0],
        average_correlation=figures[1],
        largest_correlation=figures[2],
        may_increase=np.full(ASSETS, level == 0),
    )


class RiskRuleContract(ABC):
    """Inherit it, and answer the two questions below."""

    @abstractmethod
    @pytest.fixture
    def rule(self) -> RiskRule:
        """The rule."""

    @abstractmethod
    def binding(self) -> RiskView:
        """A session in which the rule lowers something."""

    def test_it_lowers_something_where_it_says_so(self, rule: RiskRule) -> None:
        session = self.binding()
        at = UNIVERSE.positions
        answer = rule.ceilings(session)
        assert any(c.weight < max(session.approved[at[s]], session.held[at[s]]) for s, c in answer.items())

    @pytest.mark.parametrize("seed", SEEDS)
    def test_no_ceiling_is_above_what_is_approved(self, rule: RiskRule, seed: int) -> None:
        session = any_session(seed)
        for symbol, ceiling in rule.ceilings(session).items():
            assert type(ceiling) is Ceiling
            assert 0.0 <= ceiling.weight <= session.approved[UNIVERSE.positions[symbol]] + 1e-9

    @pytest.mark.parametrize("seed", SEEDS)
    def test_every_ceiling_has_a_reason(self, rule: RiskRule, seed: int) -> None:
        for ceiling in rule.ceilings(any_session(seed)).values():
            assert isinstance(ceiling.reason, str)
            assert ceiling.reason.strip()

    @pytest.mark.parametrize("seed", SEEDS)
    def test_the_same_question_has_the_same_answer(self, rule: RiskRule, seed: int) -> None:
        first = dict(rule.ceilings(any_session(seed)))
        rule.ceilings(any_session(seed + 1))
        assert dict(rule.ceilings(any_session(seed))) == first

    @pytest.mark.parametrize("seed", SEEDS)
    def test_nothing_given_is_written_into(self, rule: RiskRule, seed: int) -> None:
        session, untouched = any_session(seed), any_session(seed)
        rule.ceilings(session)
        for field in fields(RiskView):
            if field.name != "market":
                np.testing.assert_array_equal(getattr(session, field.name), getattr(untouched, field.name))

    def test_where_nothing_is_held_or_wanted_there_is_nothing_to_lower(self, rule: RiskRule) -> None:
        nothing = np.zeros(ASSETS)
        assert all(ceiling.weight == 0.0 for ceiling in rule.ceilings(risk_view(nothing)).values())
