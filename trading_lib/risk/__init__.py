"""Target weights + `RiskState` -> `RiskAssessment`: approved weights, ceilings for risk orders, the next state."""
