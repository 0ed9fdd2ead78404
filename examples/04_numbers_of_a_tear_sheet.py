"""The numbers behind a tear sheet: targets, years, benchmarks, costs. With a file name it writes the page as well."""

import sys

import trading_lib as tl

result = tl.backtest(start="2015-01-02", end="2019-12-31")
report = result.report

print("against the targets")
for name, found in report["targets"].items():
    verdict = (
        "meets its target" if found["meets_target"] else "meets its minimum" if found["meets_minimum"] else "misses"
    )
    print(f"  {name:<18} {found['value']:8.3f}  {verdict}")
print("by year")
for year, figures in report["per_year"].items():
    print(f"  {year} return {figures['total_return']:7.2%}, drawdown {figures['max_drawdown']:6.2%}")
print("beside simple portfolios")
for name, figures in report["benchmarks"].items():
    print(f"  {name:<18} Sharpe {figures['sharpe']:.2f}, beta of this run {figures['beta']:.2f}")
print(f"costs: commission ${report['costs']['commission']:,.0f}, slippage ${report['costs']['slippage']:,.0f}")
print(f"limits: {report['clipping']['wanted']:.1%} wanted on average, {report['clipping']['allowed']:.1%} allowed")

if len(sys.argv) > 1:
    result.tear_sheet(sys.argv[1])
    print(f"wrote {sys.argv[1]}")

# Prints:
# against the targets
#   annual_return         0.057  misses
#   annual_volatility     0.070  meets its target
#   sharpe                0.678  misses
#   max_drawdown          0.104  meets its target
#   calmar                0.549  meets its minimum
#   win_rate              0.232  misses
#   profit_factor         1.797  meets its target
#   monthly_turnover      0.351  meets its minimum
#   annual_cost_drag      0.013  meets its minimum
# by year
#   2015 return   4.71%, drawdown  5.69%
#   2016 return  16.74%, drawdown  2.67%
#   2017 return   2.61%, drawdown  8.98%
#   2018 return  10.41%, drawdown  5.75%
#   2019 return  -4.83%, drawdown  9.97%
# beside simple portfolios
#   60/40 SPY/TLT      Sharpe 1.20, beta of this run 0.55
#   equal weight       Sharpe 1.23, beta of this run 0.45
#   SPY                Sharpe 0.54, beta of this run 0.25
# costs: commission $5,144, slippage $2,647
# limits: 80.7% wanted on average, 73.4% allowed
