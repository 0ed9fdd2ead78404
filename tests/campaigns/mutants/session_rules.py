"""Planted faults of rules that decisions and the compiled loop share: each must be found on both ways of trading."""

from __future__ import annotations

from tests.campaigns.mutants.money_path import Mutant

RULES, EVERY_SESSION = (
    "tests/trading_lib/backtest/compiled/test_session_rules.py",
    "tests/trading_lib/backtest/compiled/test_every_session.py",
)
ROADS = ("in_the_loop", "with_objects")
STEP, STOPS = "trading_lib/risk/step.py", "trading_lib/risk/stops/stops.py"


def _rule(name: str, file: str, old: str, new: str, test: str, tests: str = RULES) -> Mutant:
    return Mutant(name, file, old, new, (tests, "-k", test), ROADS)


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
        "trading_lib/risk/levels/drawdown_kernels.py",
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
    _rule(
        "a level is entered again in every session",
        STEP,
        "entered = effective >= 2 and effective > effective_before",
        "entered = effective >= 2 and effective >= effective_before",
        "reduces_once",
        EVERY_SESSION,
    ),
    _rule(
        "an asset that cools off may be bought",
        "trading_lib/risk/limits/buy_restrictions.py",
        "        if cooling[i]:",
        "        if cooling[i] and level > 4:",
        "cools_off",
        EVERY_SESSION,
    ),
    _rule(
        "the correlation floor asks for no confidence",
        STEP,
        "minimum = minimum_confidence(effective, numbers)",
        "minimum = minimum_confidence(level, numbers)",
        "put_a_floor",
        EVERY_SESSION,
    ),
)
