"""The simulated market: a seeded model of volatility, returns, prices and macro series.

Everything is generated forward once on a fixed axis of days, so that the same seed gives the same history bit for
bit whatever date it is cut at. `facts` holds what is published about real markets; the rest is random.
"""
