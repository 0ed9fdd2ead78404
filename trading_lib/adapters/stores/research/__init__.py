"""Results of sweeps and gates."""
