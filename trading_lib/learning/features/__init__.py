"""What a model sees: features of every session and asset, from what was known at its decision."""
