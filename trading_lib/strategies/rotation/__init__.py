"""Monthly rotation: 12-1 momentum ranking, the monthly rebalance and its bound on turnover and cost."""
