"""The values of a decision: signals, sleeves' targets, target weights, risk state and events, the stored record."""
