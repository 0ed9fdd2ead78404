"""The only I/O: implementations of the stages' Protocols."""
