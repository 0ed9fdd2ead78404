"""Access to the API: the ccxt client, its HTTP session, limits and clock."""
