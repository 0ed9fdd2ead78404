"""Rules about the prices of one symbol or of several sources."""
