"""A first backtest: the strategy as shipped, on the simulated market, costs included."""

import trading_lib as tl

result = tl.backtest(start="2018-01-02", end="2019-12-31")

print(result)
print()
print(result.values[["nav", "drawdown", "risk_level"]].tail(3).round(4))
print()
print(result.fills[["session", "symbol", "side", "quantity", "price", "commission"]].tail(3).to_string(index=False))
print()
print(f"{len(result.orders)} orders, {len(result.fills)} fills, Sharpe ratio {result.metrics['sharpe']:.2f}")

# Prints:
# <BacktestResult: trend 50 + rotation 50 on SIMULATED prices, 2018-01-02 to 2019-12-31, costs included: $100,000.00 to $106,668.24, 3.29% a year, Sharpe 0.24, drawdown 9.92%>
#
#                   nav  drawdown  risk_level
# session
# 2019-12-27  106688.40    0.0658           0
# 2019-12-30  106863.01    0.0642           0
# 2019-12-31  106668.24    0.0659           0
#
#    session symbol side  quantity    price  commission
# 2019-12-27    QQQ  BUY      21.0 224.6523        4.72
# 2019-12-30    EEM  BUY      74.0  46.1331        3.41
# 2019-12-31    EFA  BUY      30.0  70.5352        2.12
#
# 387 orders, 383 fills, Sharpe ratio 0.24
