"""A made-up `Dataset`: overlapping labels of daily returns, one feature that predicts them as well as it is told to.

The features are `SIGNAL`, which is planted, `momentum_12_1`, `momentum_21` and `volatility_60` (named as the real
ones, `trading_lib.learning.features`, and computed from the made-up returns), and as many more as are asked for that
say nothing, as much alike as real ones are: of 27 features of the funds and 16 years, seven are the market's, equal for
all assets of a session, and the others within a session worth six independent ones; most halve in months. So seven of
23 are `market_..`, and the others `noise_..` of a few common sources and something of their own.
Every asset has the same expected return, so neither the untrained momentum nor an asset's mean rank predicts anything.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.stats import rankdata

from trading_lib.domain.market.prices import FloatArray
from trading_lib.domain.market.sessions import exchange_sessions
from trading_lib.learning.dataset import Dataset
from trading_lib.learning.ranks import session_ranks

SIGNAL = "signal"
SIXTEEN_YEARS, THREE_YEARS = 4028, 755
YEAR, MONTH, QUARTER = 252, 21, 60
# A signal that halves in about ten sessions: its information coefficients are as dependent as those of real features.
PERSISTENCE = 0.93
# Of the features that say nothing: the market's; the common sources of the others and their weight, and what each has
# of its own.
MARKET_PERSISTENCE, SHARE_OF_MARKET = 0.995, 7 / 23
SOURCES = (0.99, 0.98, 0.995, 0.97, 0.95)
WEIGHTS = (1.0, 0.85, 0.6, 0.45, 0.4)
OWN_SHARE, OWN_PERSISTENCE = 0.15, 0.97
# A day's return of an asset beside the market's, the market's, and the market's mean.
OWN_RISK, MARKET_RISK, MARKET_MEAN = 0.008, 0.008, 0.0003


def synthetic_dataset(
    sessions: int = SIXTEEN_YEARS,
    assets: int = 15,
    features: int = 27,
    ic: float = 0.0,
    seed: int = 0,
    horizon: int = 21,
    drift: float = 0.0,
    missing: float = 0.0,
) -> Dataset:
    """Draw a dataset.

    Parameters
    ----------
    sessions
        Sessions with labels; a year before them and a horizon after them are drawn besides.
    features
        All of them, at least four.
    ic
        Expected information coefficient of `SIGNAL`: its rank correlation with the label within a session. Drawn
        figures differ from it by about .015 over sixteen years.
    drift
        Difference between the best and the worst asset's mean return, in own standard deviations of a day: what a
        model of mean ranks could learn.
    missing
        Share of the noise features' values that are NaN.
    """
    generator = np.random.default_rng(seed)
    days = YEAR + sessions + horizon
    signal = _persistent(generator, (days, assets), PERSISTENCE)
    own = generator.standard_normal((days, assets)) + np.linspace(-drift / 2, drift / 2, assets)
    own[1:] += _strength(ic, assets, horizon) * signal[:-1]
    market = MARKET_MEAN + MARKET_RISK * generator.standard_normal((days, 1))
    returns = market + OWN_RISK * own
    kept = slice(YEAR, YEAR + sessions)
    names, columns = _features(generator, signal, returns, features, kept, missing)
    growth = np.cumprod(1.0 + returns, axis=0)
    forward = (growth[horizon:] / growth[:-horizon] - 1.0)[kept]
    rows = np.arange(sessions * assets)
    start = np.arange(YEAR, YEAR + sessions)
    calendar = exchange_sessions().sessions
    begin = int(np.searchsorted(calendar, np.datetime64("2006-01-03"))) + YEAR
    return Dataset(
        features=names,
        symbols=tuple(f"A{number:02d}" for number in range(assets)),
        sessions=calendar[begin : begin + sessions],
        label_start=start,
        label_end=start + horizon,
        row_session=rows // assets,
        row_symbol=rows % assets,
        x=np.ascontiguousarray(columns.reshape(len(names), -1).T),
        y=session_ranks(forward).reshape(-1),
        forward=forward.reshape(-1),
        daily_return=returns[kept],
        tradable=np.ones((sessions, assets), dtype=bool),
    )


def _features(
    generator: np.random.Generator,
    signal: FloatArray,
    returns: FloatArray,
    count: int,
    kept: slice,
    missing: float,
) -> tuple[tuple[str, ...], FloatArray]:
    """Return the names, and the values in shape (F, S, n)."""
    growth = np.cumprod(1.0 + returns, axis=0)
    last = np.arange(kept.start, kept.stop)
    squares = np.cumsum(returns**2, axis=0)
    columns = {
        SIGNAL: signal[kept],
        "momentum_12_1": growth[last - MONTH] / growth[last - YEAR] - 1.0,
        "momentum_21": growth[last] / growth[last - MONTH] - 1.0,
        "volatility_60": np.sqrt((squares[last] - squares[last - QUARTER]) / QUARTER * YEAR),
    }
    without_meaning = count - len(columns)
    of_market = int(without_meaning * SHARE_OF_MARKET)
    sources = [_persistent(generator, returns.shape, persistence)[kept] for persistence in SOURCES]
    for number in range(without_meaning - of_market):
        loadings = generator.standard_normal(len(sources)) * WEIGHTS
        common = np.tensordot(loadings / math.sqrt(float(loadings @ loadings)), sources, axes=1)
        own = _persistent(generator, returns.shape, OWN_PERSISTENCE)[kept]
        noise = math.sqrt(1.0 - OWN_SHARE) * common + math.sqrt(OWN_SHARE) * own
        noise[generator.random(noise.shape) < missing] = np.nan
        columns[f"noise_{number:02d}"] = noise
    for number in range(of_market):
        market = _persistent(generator, (len(returns), 1), MARKET_PERSISTENCE)[kept]
        columns[f"market_{number:02d}"] = np.repeat(market, returns.shape[1], axis=1)
    return tuple(columns), np.stack(list(columns.values()))


def _persistent(generator: np.random.Generator, shape: tuple[int, int], persistence: float) -> FloatArray:
    """First-order autoregressions with unit variance, one a column."""
    values = generator.standard_normal(shape)
    shock = math.sqrt(1.0 - persistence**2)
    for t in range(1, shape[0]):
        values[t] = persistence * values[t - 1] + shock * values[t]
    return values


def _strength(ic: float, assets: int, horizon: int) -> float:
    """Return how strongly the signal moves a day's return, in own standard deviations.

    Of two normal variables with correlation r the mean rank correlation over n assets is close to 3 n r / (pi (n + 1))
    (Moran, Rank correlation and product-moment correlation, 1948). The signal's effect on the sum of the horizon's
    returns is that of its own expected path.
    """
    correlation = ic * math.pi * (assets + 1) / (3 * assets)
    steps = PERSISTENCE ** np.arange(horizon)
    reach = float(steps.sum())
    distance = np.abs(np.subtract.outer(np.arange(horizon), np.arange(horizon)))
    path_variance = float((PERSISTENCE**distance).sum())
    return correlation * math.sqrt(horizon / (reach**2 - correlation**2 * path_variance))


def daily_ics(true: FloatArray, assets: int, horizon: int, seed: int) -> FloatArray:
    """Rank correlations of slow scores with labels that correlate with them as told, shape (S,).

    Parameters
    ----------
    true
        Shape (S,): the correlation of each session's scores with its labels.
    horizon
        Labels of neighbouring sessions share all but one of so many; 1 makes sessions independent.
    """
    generator = np.random.default_rng(seed)
    sessions = len(true)
    path = np.cumsum(generator.standard_normal((sessions + horizon, assets)), axis=0)
    noise = (path[horizon:] - path[:-horizon]) / np.sqrt(horizon)
    scores = np.empty((sessions, assets))
    now = generator.standard_normal(assets)
    for session in range(sessions):
        now = 0.98 * now + np.sqrt(1 - 0.98**2) * generator.standard_normal(assets)
        scores[session] = now
    labels = true[:, None] * scores + np.sqrt(1 - true[:, None] ** 2) * noise
    a, b = (rankdata(values, axis=1) - (assets + 1) / 2 for values in (scores, labels))
    return np.asarray((a * b).sum(axis=1) / np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1)))
