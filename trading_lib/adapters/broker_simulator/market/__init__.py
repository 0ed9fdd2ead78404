"""The simulated market: its clock, its instruments and its prices."""
