"""The path of an order at a broker: what evidence means, the proof of absence, and what is asked and stored, in steps.

Input: orders as they are stored, and what a broker answers. Output: what to store, ask and tell. No I/O, no clock.
"""
