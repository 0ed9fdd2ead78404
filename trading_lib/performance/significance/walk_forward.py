"""Whether choosing among variants would have held up: each is chosen on the past and measured on the year after.

Input: daily returns of variants over the same sessions. Output: `WalkForward`, whose returns no choice has seen. After
Pardo 2008, "The Evaluation and Optimization of Trading Strategies", chapter 11. It belongs beside
every cross-validation that trains on the future (docs/specification.md#walk-forward).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trading_lib.domain.errors import InputError
from trading_lib.domain.market.prices import DateArray, FloatArray
from trading_lib.performance.metrics.formulas import sharpe_ratio


@dataclass(frozen=True, slots=True)
class Fold:
    """Rows of the returns: those a choice may look at, and those it is measured on; row t ends at session t + 1."""

    training: range
    test: range


@dataclass(frozen=True, slots=True)
class FoldChoice:
    """What was chosen for a fold.

    Attributes
    ----------
    chosen
        Column of the variant with the highest Sharpe ratio in training.
    training_sharpes
        One per variant; None where its returns do not vary.
    sharpe, default_sharpe
        Of the chosen variant and of the default in the test rows, without the cost of a switch.
    """

    fold: Fold
    chosen: int
    training_sharpes: tuple[float | None, ...]
    sharpe: float | None
    default_sharpe: float | None


@dataclass(frozen=True, slots=True)
class WalkForward:
    """The folds one after the other; R rows out of sample.

    Attributes
    ----------
    rows
        Rows of the variants' returns that are out of sample.
    returns
        Shape (R,): of the variant chosen for each row's fold, after the costs of switching.
    switches
        How often another variant was chosen than before; the default is where it begins.
    """

    folds: tuple[FoldChoice, ...]
    rows: range
    returns: FloatArray
    switches: int


def yearly_folds(sessions: DateArray, training_years: int, rolling: bool = False) -> tuple[Fold, ...]:
    """Cut a window into years, counted from its first session, each tested with what lies before it.

    A choice is made at the last session on or before the anniversary, from returns up to that session; the next return
    is the first it is measured on. The last year may be a part of one.

    Parameters
    ----------
    sessions
        Ascending, shape (S,); return t leads from session t to session t + 1.
    training_years
        Years before the first test.
    rolling
        Whether training keeps this length; otherwise it begins at the first session and grows.

    Raises
    ------
    InputError
        When the training leaves nothing to test.
    """
    if training_years < 1:
        raise InputError(f"{training_years} years of training are none", "give at least 1")
    edges = [0]
    while edges[-1] < len(sessions) - 1:
        anniversary = _anniversary(sessions[0], len(edges))
        edges.append(int(np.searchsorted(sessions, anniversary, side="right")) - 1)
    if len(edges) < training_years + 2:
        window = f"{sessions[0]} to {sessions[-1]}" if len(sessions) else "without sessions"
        raise InputError(
            f"the window {window} leaves nothing out of sample after {training_years} years of training",
            "choose a longer window or fewer years",
        )
    return tuple(
        Fold(range(edges[k - training_years] if rolling else 0, edges[k]), range(edges[k], edges[k + 1]))
        for k in range(training_years, len(edges) - 1)
    )


def _anniversary(day: np.datetime64, years: int) -> np.datetime64:
    month = day.astype("datetime64[M]")
    # From a leap day it is the first of March.
    anniversary: np.datetime64 = (month + 12 * years).astype("datetime64[D]") + (day - month.astype("datetime64[D]"))
    return anniversary


def walk_forward(
    returns: FloatArray, cash_rate: FloatArray, folds: Sequence[Fold], default: int, switch_cost: float = 0.0
) -> WalkForward:
    """Choose for each fold by its training rows, and put the test rows of the chosen variants together.

    Among equals the default is chosen, then the first.

    Parameters
    ----------
    returns
        Daily simple returns, shape (rows, k), finite.
    cash_rate
        Annual rate known at the start of each return, shape (rows,).
    folds
        Their test rows follow one another.
    switch_cost
        Share of net asset value that a change of variant costs, taken off the first return after it.
    """
    choices, parts = [], []
    held, switches = default, 0
    for fold in folds:
        choice = _choose(returns, cash_rate, fold, default)
        part = returns[_slice(fold.test), choice.chosen].copy()
        if choice.chosen != held:
            part[0] = (1.0 + part[0]) * (1.0 - switch_cost) - 1.0
            held, switches = choice.chosen, switches + 1
        choices.append(choice)
        parts.append(part)
    rows = range(folds[0].test.start, folds[-1].test.stop)
    return WalkForward(tuple(choices), rows, np.concatenate(parts), switches)


def _choose(returns: FloatArray, cash_rate: FloatArray, fold: Fold, default: int) -> FoldChoice:
    training, test = _slice(fold.training), _slice(fold.test)
    known = tuple(sharpe_ratio(returns[training, k], cash_rate[training]) for k in range(returns.shape[1]))

    def merit(k: int) -> tuple[float, bool, int]:
        sharpe = known[k]
        return (-math.inf if sharpe is None else sharpe, k == default, -k)

    chosen = max(range(returns.shape[1]), key=merit)
    outcome, usual = (sharpe_ratio(returns[test, k], cash_rate[test]) for k in (chosen, default))
    return FoldChoice(fold, chosen, known, outcome, usual)


def _slice(rows: range) -> slice:
    return slice(rows.start, rows.stop)
