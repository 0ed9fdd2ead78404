"""What the daily run does with models: ask them, read how they do, and decide what becomes of them."""
