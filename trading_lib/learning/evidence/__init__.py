"""Whether a model is more than noise: information coefficients, null distributions, active returns, verdict."""
