"""Which sessions train and which test: combinatorial purged cross-validation, paths, walk-forward."""
