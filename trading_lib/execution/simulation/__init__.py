"""Deterministic simulation of the order path: the same steps and the same reducer under virtual time, from one seed.

A model broker loses answers, delays and hides what it took, fills late, strikes fills and goes away; processes stop at
any step and begin anew; two work on the same orders. The broker's own ledger is the judge.
"""
