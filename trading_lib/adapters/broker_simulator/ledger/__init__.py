"""What the simulated brokers have booked: an append-only ledger, the state folded from it, and its judge."""
