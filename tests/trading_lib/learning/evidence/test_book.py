"""Books of scores, by hand and against the plainest way to keep one."""

from __future__ import annotations

import math

import numpy as np
import pytest

from trading_lib.domain.kernels import python_version
from trading_lib.learning.config import BookConfig
from trading_lib.learning.evidence import book as kernels
from trading_lib.learning.evidence.book import annual_sharpe, equal_weight_returns, tranche_book

ONE = BookConfig(positions=1, tranches=1, lag=1, cost_rate=0.0)
TWO = BookConfig(positions=1, tranches=2, lag=1, cost_rate=0.01)


def everything(shape: tuple[int, int]) -> np.ndarray:
    return np.ones(shape, dtype=bool)


def test_a_score_earns_from_the_next_session_on() -> None:
    scores = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    returns = np.array([[0.5, 0.5], [0.1, -0.1], [0.03, 0.2]])
    assert tranche_book(scores, returns, everything((3, 2)), ONE) == pytest.approx([0.0, 0.1, 0.2])


def test_a_longer_lag_waits_longer() -> None:
    scores = np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0], [0.0, 1.0]])
    returns = np.array([[0.5, 0.5], [0.1, -0.1], [0.03, 0.2], [0.04, 0.3]])
    late = ONE.model_copy(update={"lag": 2})
    assert tranche_book(scores, returns, everything((4, 2)), late) == pytest.approx([0.0, 0.0, 0.03, 0.3])


def test_a_small_book_by_hand() -> None:
    """Two tranches of one asset each at a cost of 1 %: bought at once, renewed in turn."""
    scores = np.array([[2.0, 1.0], [1.0, 2.0], [2.0, 1.0]])
    returns = np.array([[0.0, 0.0], [0.1, 0.0], [0.0, 0.2]])
    # Session 0: both tranches buy asset 0 for .5 and pay .005.
    first = 2 * (0.5 - 0.005)
    # Session 1: asset 0 rises by 10 %, then tranche 1 moves to asset 1: .5445 sold, .5445 bought, .01089 paid.
    each = 0.495 * 1.1
    second = each + (each - 0.01 * 2 * each)
    # Session 2: asset 1 rises by 20 %; tranche 0 is renewed and stays in asset 0, which costs nothing.
    third = each + (each - 0.01 * 2 * each) * 1.2
    expected = [first - 1.0, second / first - 1.0, third / second - 1.0]
    assert tranche_book(scores, returns, everything((3, 2)), TWO) == pytest.approx(expected)


def plain_book(scores: np.ndarray, returns: np.ndarray, tradable: np.ndarray, config: BookConfig) -> np.ndarray:
    """A book of dictionaries, without ties."""
    tranches = [{"cash": 1.0 / config.tranches} for _ in range(config.tranches)]
    found, before, begun = [], 1.0, False
    for t in range(len(scores)):
        for tranche in tranches:
            for asset in tranche.keys() - {"cash"}:
                tranche[asset] *= 1.0 + returns[t, asset]
        decided = t - config.lag + 1
        known = [i for i in range(scores.shape[1]) if decided >= 0 and tradable[t, i] and scores[decided, i] > -9]
        best = sorted(known, key=lambda i: -scores[decided, i])[: config.positions]
        if best:
            for tranche in [tranches[t % config.tranches]] if begun else tranches:
                kept = {i: v for i, v in tranche.items() if i != "cash" and not tradable[t, i]}
                money = sum(tranche.values()) - sum(kept.values())
                wanted = {i: money / len(best) for i in best}
                sold = {i: v for i, v in tranche.items() if i != "cash" and i not in kept}
                traded = sum(abs(wanted.get(i, 0.0) - sold.get(i, 0.0)) for i in wanted.keys() | sold.keys())
                money -= config.cost_rate * traded
                tranche.clear()
                tranche.update({**kept, "cash": 0.0, **{i: money / len(best) for i in best}})
            begun = True
        now = sum(sum(tranche.values()) for tranche in tranches)
        found.append(now / before - 1.0)
        before = now
    return np.array(found)


@pytest.mark.parametrize("lag", [1, 3])
def test_books_equal_the_plainest_way_to_keep_one(lag: int) -> None:
    generator = np.random.default_rng(1)
    scores, returns = generator.normal(size=(120, 7)), generator.normal(0.0003, 0.02, (120, 7))
    tradable = generator.random((120, 7)) < 0.8
    scores[generator.random((120, 7)) < 0.2] = np.nan
    scores[:4], scores[50:60] = np.nan, np.nan
    config = BookConfig(positions=3, tranches=5, lag=lag, cost_rate=0.002)
    found = tranche_book(scores, returns, tradable, config)
    assert found == pytest.approx(plain_book(scores, returns, tradable, config), abs=1e-12)
    assert not found[: 3 + lag].any()


def test_the_kernel_is_its_python_version(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(2)
    scores, returns = generator.normal(size=(20, 4)).round(), generator.normal(0.0, 0.02, (20, 4))
    tradable = generator.random((20, 4)) < 0.8
    compiled = tranche_book(scores, returns, tradable, TWO)
    for name in ("_book", "_highest", "_renew"):
        monkeypatch.setattr(kernels, name, python_version(getattr(kernels, name)))
    assert tranche_book(scores, returns, tradable, TWO) == pytest.approx(compiled, abs=1e-14)


def test_equal_scores_at_the_edge_share_the_places_left() -> None:
    scores = np.tile([3.0, 1.0, 1.0, 1.0, 0.0], (2, 1))
    returns = np.array([[0.0] * 5, [0.2, 0.3, 0.0, 0.0, 9.0]])
    two = ONE.model_copy(update={"positions": 2})
    # Half in the best, a sixth in each of the three that are equal.
    assert tranche_book(scores, returns, everything((2, 5)), two)[1] == pytest.approx(0.2 / 2 + 0.3 / 6)


def test_a_model_that_tells_nothing_apart_holds_the_universe() -> None:
    generator = np.random.default_rng(3)
    returns, universe = generator.normal(0.0, 0.01, (90, 6)), generator.random((90, 6)) < 0.9
    book = tranche_book(np.where(universe, 7.0, np.nan), returns, everything((90, 6)), BookConfig())
    whole = equal_weight_returns(universe, returns, everything((90, 6)), BookConfig())
    assert annual_sharpe(book - whole) == 0.0


def test_equal_weights_are_the_mean_return_while_nothing_drifts_or_costs() -> None:
    returns = np.random.default_rng(4).normal(0.0, 0.01, (30, 6))
    found = equal_weight_returns(everything((30, 6)), returns, everything((30, 6)), ONE)
    assert found[1:] == pytest.approx(returns[1:].mean(axis=1))


def test_what_cannot_be_traded_is_neither_bought_nor_sold() -> None:
    scores = np.array([[2.0, 1.0], [1.0, 2.0], [1.0, 2.0], [1.0, 2.0]])
    returns = np.array([[0.0, 0.0], [0.1, 0.0], [0.2, 0.0], [0.3, 0.5]])
    tradable = everything((4, 2))
    tradable[1, 0] = False
    # Asset 0 cannot be sold in session 1, so it still earns session 2; asset 1 is held from there.
    assert tranche_book(scores, returns, tradable, ONE) == pytest.approx([0.0, 0.1, 0.2, 0.5])
    tradable[:, 0] = False
    assert tranche_book(scores, returns, tradable, ONE) == pytest.approx([0.0, 0.0, 0.0, 0.5])


def test_costs_are_those_of_what_is_traded() -> None:
    """Two assets that change places every session: the whole tranche is sold and bought, twice its value."""
    scores = np.where(np.arange(40)[:, None] % 2 == np.arange(2), 1.0, 0.0)
    flat = np.zeros((40, 2))
    config = BookConfig(positions=1, tranches=1, lag=1, cost_rate=0.001)
    found = tranche_book(scores, flat, everything((40, 2)), config)
    assert found == pytest.approx([-0.001] + [-0.002] * 39)


def test_a_sharpe_ratio_needs_returns_that_vary() -> None:
    returns = np.array([0.01, -0.02, 0.03, 0.01])
    assert annual_sharpe(returns) == pytest.approx(returns.mean() / returns.std(ddof=1) * math.sqrt(252))
    assert annual_sharpe(np.zeros(10)) == 0.0
    assert math.isnan(annual_sharpe(np.full(10, 0.01)))
    assert math.isnan(annual_sharpe(np.array([0.01])))
