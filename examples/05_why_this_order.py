"""Why this order: the largest sale of a year, from the bar that led to it to its fill."""

import trading_lib as tl

result = tl.backtest(start="2018-01-02", end="2018-12-31")

sales = result.orders[result.orders["side"] == "SELL"]
largest = sales.loc[(sales["quantity"] * sales["expected_price"]).idxmax()]
print(result.explain(largest["symbol"], largest["session"]))

# Prints:
# Why SPY (SPDR S&P 500 ETF) in session 2018-08-28: recomputed by a backtest from 2018-01-02
#   Data        simulated: close 300.40, volume 171,597,219, a new bar of 2018-08-28
#   Factors     Momentum_60 +13.56%, Momentum_120 +8.67%, Volatility_20 19.10%, Volatility_60 18.75%, SMA_20 310.27
#               SMA_50 301.36, SMA_200 287.41, RSI_14 42.26, ATR_14 5.97, Momentum_12_1 +6.44%
#   Regime      ELEVATED: ^VIX 27.58
#   Signal      SELL (confidence 0.77): price 300.40 <= SMA_50 301.36 (60-day momentum +13.6%)
#   Held        41 at average cost 295.96, 11.67% of net asset value $105,535.34
#   Sleeve      trend (budget 50%): holds 23.34% of its capital, wants 0.00%, which is 0.00% of net asset value
#   Sleeve      rotation (budget 50%): holds 0.00% of its capital, wants 0.00%, which is 0.00% of net asset value
#               waits for the month's last session
#   Blended     0.00% of net asset value
#   Constraints none lowered it
#   Target      0.00%
#   Risk        level 0: drawdown 3.85% from the reference peak $109,762.35, model volatility 5.57%, average correlation 0.2370
#               event: pair correlation above 0.70: XLK/EEM 0.722, QQQ/VNQ 0.703, XLK/VNQ 0.707
#   Limits      none lowered it
#   Approved    0.00%
#   Order       SELL 41 at about 300.4 ($12,316.40, REBALANCE): SELL (confidence 0.77): from 11.7% to 0.0% of net asset value (wanted: trend 0.0%, rotation 0.0%)
#               20180828-SPY-S0-46bbe436aa: FILLED
#   Fill        41 at 300.0399 (opening 300.19, commission 12.30), 2018-08-29T13:30:00+00:00
