"""Runs in the peers' own environment: each engine follows the same monthly target weights on the same prices.

Argument: an .npz with dates, open, close, targets (NaN rows: no rebalance). Prints a JSON object: engine -> seconds of
each run and final value, or why it could not run. Strategy and data are read beforehand; only the run is timed.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

COST = 0.0015
CASH = 100_000.0


def run_vectorbt(close: pd.DataFrame, opens: pd.DataFrame, targets: pd.DataFrame) -> float:
    import vectorbt

    portfolio = vectorbt.Portfolio.from_orders(
        close,
        size=targets.shift(1),
        size_type="targetpercent",
        price=opens,
        fees=COST,
        init_cash=CASH,
        cash_sharing=True,
        group_by=np.zeros(close.shape[1], dtype=int),
        call_seq="auto",
    )
    return float(portfolio.value().iloc[-1])


def run_bt(close: pd.DataFrame, opens: pd.DataFrame, targets: pd.DataFrame) -> float:
    import bt

    weights = targets.dropna(how="all")
    strategy = bt.Strategy("momentum", [bt.algos.WeighTarget(weights), bt.algos.Rebalance()])
    test = bt.Backtest(
        strategy, close, initial_capital=CASH, integer_positions=True, commissions=lambda q, p: abs(q) * p * COST
    )
    test.run()
    return float(test.strategy.value)


def run_backtrader(close: pd.DataFrame, opens: pd.DataFrame, targets: pd.DataFrame) -> float:
    import backtrader

    rows = {day.date(): row for day, row in targets.dropna(how="all").iterrows()}

    class Momentum(backtrader.Strategy):  # type: ignore[misc]
        def next(self) -> None:
            wanted = rows.get(self.datas[0].datetime.date(0))
            if wanted is None:
                return
            for feed in sorted(self.datas, key=lambda f: wanted[f._name] > 0):
                self.order_target_percent(feed, target=float(wanted[feed._name]))

    cerebro = backtrader.Cerebro(stdstats=False)
    cerebro.broker.setcash(CASH)
    cerebro.broker.setcommission(COST)
    for name in close:
        frame = pd.DataFrame({"open": opens[name], "high": close[name], "low": close[name], "close": close[name]})
        cerebro.adddata(backtrader.feeds.PandasData(dataname=frame.assign(volume=0)), name=name)
    cerebro.addstrategy(Momentum)
    cerebro.run()
    return float(cerebro.broker.getvalue())


def run_zipline(close: pd.DataFrame, opens: pd.DataFrame, targets: pd.DataFrame) -> float:
    from zipline import run_algorithm
    from zipline.api import order_target_percent, set_commission, set_slippage, symbol
    from zipline.finance import commission, slippage

    register_zipline(close, opens)
    rows = {day.date(): row for day, row in targets.dropna(how="all").iterrows()}

    def initialize(context: Any) -> None:
        context.assets = {name: symbol(name) for name in close}
        set_commission(commission.PerDollar(cost=COST))
        set_slippage(slippage.NoSlippage())

    def handle_data(context: Any, data: Any) -> None:
        wanted = rows.get(data.current_session.date())
        if wanted is None:
            return
        for name, asset in sorted(context.assets.items(), key=lambda item: wanted[item[0]] > 0):
            if data.can_trade(asset):
                order_target_percent(asset, float(wanted[name]))

    answer = run_algorithm(
        start=close.index[0],
        end=close.index[-1],
        initialize=initialize,
        handle_data=handle_data,
        capital_base=CASH,
        bundle="peers",
        benchmark_returns=pd.Series(0.0, index=close.index),
    )
    return float(answer["portfolio_value"].iloc[-1])


_registered = False


def register_zipline(close: pd.DataFrame, opens: pd.DataFrame) -> None:
    """Write zipline's own store once; it reads no arrays."""
    global _registered
    if _registered:
        return
    import os
    import tempfile
    from pathlib import Path

    os.environ["ZIPLINE_ROOT"] = tempfile.mkdtemp(prefix="zipline")
    folder = Path(tempfile.mkdtemp(prefix="csvdir"))
    (folder / "daily").mkdir()
    for name in close:
        own = pd.DataFrame(
            {"open": opens[name], "high": close[name], "low": close[name], "close": close[name]}
        ).dropna()
        own["high"], own["low"] = own[["open", "close"]].max(axis=1), own[["open", "close"]].min(axis=1)
        own.assign(volume=10**9, dividend=0.0, split=1.0).rename_axis("date").to_csv(folder / "daily" / f"{name}.csv")
    from zipline.data.bundles import ingest, register
    from zipline.data.bundles.csvdir import csvdir_equities

    register(
        "peers",
        csvdir_equities(["daily"], str(folder)),
        calendar_name="XNYS",
        start_session=close.index[0],
        end_session=close.index[-1],
    )
    ingest("peers", show_progress=False)
    _registered = True


ENGINES: dict[str, Callable[[pd.DataFrame, pd.DataFrame, pd.DataFrame], float]] = {
    "vectorbt": run_vectorbt,
    "bt": run_bt,
    "backtrader": run_backtrader,
    "zipline": run_zipline,
}


def main() -> None:
    with np.load(sys.argv[1], allow_pickle=False) as file:
        index = pd.DatetimeIndex(file["dates"].astype("datetime64[ns]"))
        names = [str(name) for name in file["names"]]
        close, opens, targets = (pd.DataFrame(file[n], index, names) for n in ("close", "open", "targets"))
    results: dict[str, Any] = {}
    for name, run in ENGINES.items():
        try:
            seconds = []
            for _ in range(3):
                started = time.perf_counter()
                value = run(close, opens, targets)
                seconds.append(time.perf_counter() - started)
            # The first run compiles or writes stores; the median of three leaves it out.
            results[name] = {"seconds": sorted(seconds)[1], "first_seconds": seconds[0], "final_value": value}
        except Exception as error:  # an engine that does not work here is part of the result
            results[name] = {"error": f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"}
        print(name, results[name], file=sys.stderr)
    print(json.dumps(results))


if __name__ == "__main__":
    main()
