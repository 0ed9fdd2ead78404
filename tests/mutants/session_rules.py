"""Planted faults of rules that decisions and the compiled loop share: each must be found on both ways of trading."""

from __future__ import annotations

from tests.mutants.money_path import Mutant

RULES = "tests/backtest/test_session_rules.py"
ROADS = ("in_the_loop", "with_objects")
STEP, STOPS = "trading_lib/risk/step.py", "trading_lib/risk/stops.py"


def _rule(name: str, file: str, old: str, new: str, test: str) -> Mutant:
    return Mutant(name, file, old, new, (RULES, "-k", test), ROADS)


SESSION_RULES = (
    _rule(
        "level 2 is entered without a reduction",
        STEP,
        "entered = effective >= 2 and effective > effective_before",
        "entered = effective >= 3 and effective > effective_before",
        "entering_level_2",
    ),
    _rule(
        "an asset cools off for a session more",
        STOPS,
        "memory.cooling[i] - 1 if memory.cooling[i] > 1 else ABSENT",
        "memory.cooling[i] - 1 if memory.cooling[i] > 0 else ABSENT",
        "cools_off",
    ),
    _rule(
        "a halved position is halved again",
        STOPS,
        "memory.halved[i] = True",
        "memory.halved[i] = False",
        "halved_once",
    ),
    _rule(
        "the correlation floor does not count",
        STEP,
        "effective = max(level, floor)",
        "effective = level",
        "higher_of_level_and_floor",
    ),
    _rule(
        "level 1 asks for no more confidence",
        STEP,
        "return numbers.level_1_confidence if effective >= 1 else 0.0",
        "return numbers.level_1_confidence if effective >= 2 else 0.0",
        "more_confidence",
    ),
    _rule(
        "the largest sum of weights is not looked at",
        "trading_lib/portfolio/constraints.py",
        "max(config.max_leverage - short, 0.0)",
        "max(1.0 - short, 0.0)",
        "lower_of_two_limits",
    ),
    _rule(
        "a change of regime is told only where ^VIX was assumed",
        "trading_lib/risk/level_rules.py",
        "(before != UNREAD or regime % 2 != 0)",
        "(before != UNREAD and regime % 2 != 0)",
        "change_of_regime",
    ),
    _rule(
        "weights held are shares of a dollar more",
        "trading_lib/domain/money_arithmetic.py",
        "(mark[i] / MICRO) / nav",
        "(mark[i] / MICRO) / (nav + 1.0)",
        "weights_held",
    ),
)
