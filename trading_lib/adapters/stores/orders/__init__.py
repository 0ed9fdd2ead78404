"""Lives of orders as they are read, snapshots of brokers, and breaks."""
