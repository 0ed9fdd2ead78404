"""Delivery of alerts: notifiers of users' own, and a file where no mail server is set."""
