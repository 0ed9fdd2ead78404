"""The broker simulator: Alpaca and Binance spot as their own clients see them, with faults on request.

Input: requests of the real clients. Output: answers of the brokers' shapes, and a ledger that judges what was booked.
Nothing here imports a broker client, nor anything of the order path that it judges.
"""
