"""The control face: a person or a test moves the market, the clock and the accounts, and asks the judge."""
