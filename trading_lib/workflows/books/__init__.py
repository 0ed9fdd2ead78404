"""What an operator does with a book: capital, approvals, repair, history, the kill switch."""
