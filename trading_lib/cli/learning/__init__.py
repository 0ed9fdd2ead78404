"""Commands of models: train, and what becomes of them."""
