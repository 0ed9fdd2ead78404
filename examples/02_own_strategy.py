"""A strategy of your own: one class with one method. It trades under the same limits and costs as any other."""

import numpy as np

import trading_lib as tl


class Uptrends:
    """Holds what closed above its average of 200 sessions, each with the same weight, and looks once a month."""

    monthly = True

    def __init__(self, most: int = 4) -> None:
        self.most = most

    def plan(self, view: tl.MarketView) -> np.ndarray:
        """Return a weight for each asset of ``view.universe``, in its order."""
        lead = view.total_return_close / view.factors["SMA_200"] - 1.0  # NaN where the history is too short
        rising = np.flatnonzero(lead > 0)
        best = rising[np.argsort(-lead[rising], kind="stable")[: self.most]]
        weights = np.zeros(len(view.universe))
        weights[best] = 1.0 / self.most
        return weights


prices = tl.load_prices(start="2018-01-02", end="2019-12-31")
print(prices)
runs = {
    "the four best": Uptrends(most=4),
    "the eight best": Uptrends(most=8),
    "half the capital, beside trend": {"trend": 0.5, "uptrends": {"strategy": Uptrends, "budget": 0.5}},
}
for name, strategy in runs.items():
    metrics = tl.backtest(prices, strategy).metrics
    print(f"{name:<31} Sharpe ratio {metrics['sharpe']:.2f}, drawdown {metrics['max_drawdown']:.1%}")

# Prints:
# <Prices: SIMULATED prices, no real market, 15 symbols, window 2018-01-02 to 2019-12-31, history 2004-01-02 to 2019-12-31, 0 bars quarantined>
# the four best                   Sharpe ratio 0.58, drawdown 9.1%
# the eight best                  Sharpe ratio 0.46, drawdown 14.4%
# half the capital, beside trend  Sharpe ratio 0.49, drawdown 9.4%
