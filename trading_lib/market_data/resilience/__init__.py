"""Resilience around a source: rate limit, circuit breaker, retries, and the status board they share."""
