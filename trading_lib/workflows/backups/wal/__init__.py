"""The log of the embedded server, received outside of it: restores to any time."""
