"""Prices from a place of your own: a class that answers with bars. Here they are made up on the spot."""

import numpy as np
import pandas as pd

import trading_lib as tl
from trading_lib.adapters.sources.shared.per_symbol import bars_per_symbol
from trading_lib.domain.market.prices import MacroSeries
from trading_lib.domain.market.sessions import exchange_sessions

SESSIONS = exchange_sessions().between(np.datetime64("2016-01-04"), np.datetime64("2018-12-31"))


class RandomWalks:
    """SPY, GLD and ^VIX as random walks; put the query of your database into `history`."""

    name = "simulated walks"  # stands with every figure; a name with "simulated" in it is told as such

    def __init__(self, universe: tl.Universe) -> None:
        self.universe = universe

    def bars(self, symbols, first, last, as_of):
        """Answer with the bars asked for, each with the instant it could first be known."""
        return bars_per_symbol(self.name, self.universe, symbols, first, last, as_of, self.history)

    def macro(self, first, last, as_of):
        """Answer with macro series, of which there are none here."""
        return MacroSeries.empty()

    def history(self, symbol: str) -> pd.DataFrame:
        """All rows of one symbol; none where there are none."""
        if symbol not in ("SPY", "GLD", "^VIX"):
            return pd.DataFrame()
        moves = np.random.default_rng(ord(symbol[0])).normal(0.0004, 0.008, len(SESSIONS))
        close = (15.0 if symbol == "^VIX" else 100.0) * np.exp(moves.cumsum())
        opening = np.r_[close[0], close[:-1]]
        prices = {
            "open": opening,
            "high": np.maximum(opening, close),
            "low": np.minimum(opening, close),
            "close": close,
        }
        facts = {"adj_close": np.nan, "volume": 1e6, "dividend": 0.0, "split": 1.0, "adjustment": "raw"}
        return pd.DataFrame({"symbol": symbol, "date": SESSIONS, **prices, **facts})


prices = tl.load_prices(source=RandomWalks, start="2017-01-05", end="2018-12-31")
print(prices)
print(f"absent: {len(prices.absent)} symbols, e.g. {prices.absent['TLT']}")
print(tl.backtest(prices, "trend"))

# Prints:
# <Prices: SIMULATED prices, no real market, 2 symbols, window 2017-01-05 to 2018-12-31, history 2016-01-04 to 2018-12-31, 0 bars quarantined>
# absent: 13 symbols, e.g. simulated walks has no bars of TLT
# <BacktestResult: trend 100 on SIMULATED prices, 2017-01-05 to 2018-12-31, costs included: $100,000.00 to $109,871.70, 4.87% a year, Sharpe 1.22, drawdown 2.82%>
