"""How selected assets share capital: equal weights, risk parity, and risk parity under constraints."""
