"""Sleeve weights -> `TargetWeights` that respect every constraint, each clipped weight with the constraint's name."""
