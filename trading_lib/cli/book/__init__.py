"""Commands about a book: trade a session, approvals, capital, closed trades, explanations, repair."""
