"""Books with their accounts, orders, states, approvals and capital."""
