"""Drawdown levels 0 to 4: escalation, recovery, the approvals they need, and when a risk event is resolved."""
