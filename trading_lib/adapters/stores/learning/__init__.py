"""Stores of models: trainings, versions and their files, aliases, predictions, and what became of them."""
