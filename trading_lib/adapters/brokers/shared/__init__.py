"""What the adapters of brokers share: recorded bodies, and the mount of the broker simulator."""
