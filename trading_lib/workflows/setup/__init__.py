"""Settings and configuration of an installation, and what identifies its code."""
