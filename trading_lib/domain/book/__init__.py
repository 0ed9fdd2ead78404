"""What a book owns and owes: positions, accounts, orders, capital."""
