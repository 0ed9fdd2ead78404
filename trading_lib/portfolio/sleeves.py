"""Attributes a portfolio's holdings to its sleeves, and blends the sleeves' targets into one.

All weights are shares of net asset value; s sleeves, n assets. A portfolio does not record which sleeve owns a share,
yet "hold" and "turnover" are defined only for a sleeve whose holdings are known. So each sleeve's part is carried from
session to session: it moves with prices, and a change of the actual holding goes to the sleeves that asked for it.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from trading_lib.domain.kernels import compiled, inlined
from trading_lib.domain.market.prices import BoolArray, FloatArray


@inlined
def drift(weights: FloatArray, returns: FloatArray) -> FloatArray:
    """Weights after the returns of the sessions since, the rest being cash.

    Parameters
    ----------
    weights
        Shape (s, n).
    returns
        Simple returns, shape (sessions, n); NaN counts as 0. Changes of net asset value by other assets are left out:
        each row is the share of a portfolio of its own.
    """
    sleeves, assets = weights.shape
    moved = weights.copy()
    for k in range(sleeves):
        for t in range(returns.shape[0]):
            for i in range(assets):
                if not np.isnan(returns[t, i]):
                    moved[k, i] *= 1.0 + returns[t, i]
        total = 1.0
        for i in range(assets):
            total += moved[k, i] - weights[k, i]
        # A total at or below zero is a total loss: no shares of it can be computed.
        if total > 0.0:
            for i in range(assets):
                moved[k, i] /= total
    return moved


@compiled
def attribute(held: FloatArray, before: FloatArray, targets: FloatArray, budgets: FloatArray) -> FloatArray:
    """Split the present holdings among the sleeves; columns add up to ``held``.

    Parameters
    ----------
    held
        Shape (n,): present weights, none negative.
    before
        Shape (s, n): each sleeve's part at the decision before, moved by the returns since.
    targets
        Shape (s, n): each sleeve's part of the last target, moved likewise.
    budgets
        Shape (s,): the proportion in which unattributed holdings are split.
    """
    sleeves, assets = before.shape
    parts = np.empty((sleeves, assets))
    capital = budgets.sum()
    for i in range(assets):
        owned = missing = surplus = 0.0
        for k in range(sleeves):
            owned += before[k, i]
            missing += max(targets[k, i] - before[k, i], 0.0)
            surplus += max(before[k, i] - targets[k, i], 0.0)
        change = held[i] - owned
        # A sale takes first what sleeves gave up, then from all in proportion.
        given_up = min(max(-change, 0.0), surplus)
        rest = max(-change, 0.0) - given_up
        left = owned - given_up
        for k in range(sleeves):
            part = before[k, i]
            if surplus > 0.0:
                part -= given_up * (max(before[k, i] - targets[k, i], 0.0) / surplus)
            if rest > 0.0:
                part -= rest * (part / left if left > 0.0 else budgets[k] / capital)
            part = max(part, 0.0)
            if change > 0.0:
                asked = max(targets[k, i] - before[k, i], 0.0)
                part += change * (asked / missing if missing > 0.0 else budgets[k] / capital)
            parts[k, i] = part
    return parts


@inlined
def sleeve_parts(
    held: FloatArray,
    past_held: FloatArray,
    past_targets: FloatArray,
    budgets: FloatArray,
    returns: FloatArray,
    stopped: BoolArray,
) -> tuple[FloatArray, FloatArray]:
    """Each sleeve's holdings and last target, as shares of its own capital; both of shape (s, n).

    Parameters
    ----------
    held
        Shape (n,): present weights.
    past_held, past_targets
        Shape (s, n): what each sleeve owned at the decision before, and what it wanted then.
    budgets
        Shape (s,).
    returns
        Simple returns since, shape (sessions, n).
    stopped
        Shape (n,): assets whose targets are limited to what is left of them.
    """
    sleeves, assets = past_targets.shape
    drifted = drift(past_targets, returns)
    owned = np.empty((sleeves, assets))
    if sleeves == 1:
        # All holdings are the only sleeve's, whatever its past.
        owned[0] = held / budgets[0]
    else:
        before, asked = drift(past_held, returns), drifted.copy()
        for k in range(sleeves):
            before[k] *= budgets[k]
            asked[k] *= budgets[k]
        owned = attribute(held, before, asked, budgets)
        for k in range(sleeves):
            owned[k] /= budgets[k]
    forget_stopped(drifted, owned, stopped)
    return owned, drifted


@compiled
def forget_stopped(targets: FloatArray, owned: FloatArray, stopped: BoolArray) -> None:
    """Lower the sleeves' targets of stopped assets to what is left, in place."""
    for i in range(stopped.shape[0]):
        if stopped[i]:
            for k in range(targets.shape[0]):
                targets[k, i] = min(targets[k, i], owned[k, i])


def blend(sleeves: Mapping[str, FloatArray], budgets: Mapping[str, float], assets: int) -> FloatArray:
    """Sum the sleeves' weights times their budgets, shape (n,)."""
    total = np.zeros(assets)
    for name, weights in sleeves.items():
        total += budgets[name] * weights
    return total
