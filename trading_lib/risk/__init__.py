"""Risk control of a session: target weights and `RiskState` -> approved weights, position limits, the next state."""
