"""The values of a book: portfolio and positions, accounts, orders and fills, flows of capital, approvals."""
