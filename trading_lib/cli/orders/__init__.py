"""Commands about orders and brokers."""
