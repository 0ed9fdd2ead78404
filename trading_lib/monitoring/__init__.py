"""Alerts: messages to the operator, and the interface of notifiers."""
