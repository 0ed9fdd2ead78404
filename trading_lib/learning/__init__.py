"""Models that rank assets: features and labels, purged cross-validation, evidence, lifecycle."""
