"""Values that every stage shares: instruments, sessions, prices, orders, portfolio, risk, configuration, errors.

Nothing here does I/O, reads a clock or imports another package of this project.
"""
