"""Portfolio construction: sleeve weights -> `TargetWeights` within the constraints, with each clip's reason."""
