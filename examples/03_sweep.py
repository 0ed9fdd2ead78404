"""A parameter sweep: a backtest for each combination of values, and how much of the best one is luck."""

import trading_lib as tl

grid = {
    "strategy.rotation.top_share": [0.2, 0.3, 0.4],
    "risk.target_volatility": [0.10, 0.15],
}
found = tl.sweep(grid, start="2015-01-02", end="2019-12-31")

print(found)
print(found.points[[*grid, "sharpe", "max_drawdown", "monthly_turnover"]].round(3).to_string(index=False))
print(f"the best ratio, after {len(found.points)} trials: {found.summary['best_deflated_sharpe']:.0%} likely above 0")
print(f"choosing it is overfitting: {found.summary['probability_of_overfitting']:.0%} likely")

# Prints:
# <Sweep: 6 points on SIMULATED prices, 2015-01-02 to 2019-12-31, 6 ok>
#  strategy.rotation.top_share  risk.target_volatility  sharpe  max_drawdown  monthly_turnover
#                          0.2                    0.10   0.874         0.104             0.347
#                          0.2                    0.15   0.804         0.122             0.348
#                          0.3                    0.10   0.688         0.104             0.351
#                          0.3                    0.15   0.678         0.104             0.351
#                          0.4                    0.10   0.660         0.115             0.345
#                          0.4                    0.15   0.661         0.115             0.348
# the best ratio, after 6 trials: 96% likely above 0
# choosing it is overfitting: 31% likely
