"""Explanations of one asset's weight and order in a decided session."""
