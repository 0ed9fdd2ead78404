"""Market data sources: the catalogue and registry; vendors, files, the simulated market and users' own."""
