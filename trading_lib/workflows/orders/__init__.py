"""Orders at real brokers: arming, watching, recovery, reconciliation."""
