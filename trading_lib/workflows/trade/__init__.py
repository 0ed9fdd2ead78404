"""The daily run of a book, stage by stage: settle, signals, targets, risk, orders, place, reconcile, report."""
