"""Data quality: rules over bars and whole histories; splits bars into accepted and quarantined ones. Pure."""
