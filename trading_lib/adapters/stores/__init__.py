"""The state database: PostgreSQL, embedded by default, any server by URL.

Values go in frozen and come out frozen; writing the same thing twice changes nothing.
"""
