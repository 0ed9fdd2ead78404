"""What a session decides: signals, targets, weights, risk."""
