"""Values shared by every stage: instruments, sessions, prices, orders, portfolio, risk, errors.

Nothing here does I/O, reads a clock or imports another package of this project.
"""
