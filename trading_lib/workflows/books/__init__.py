"""Operations on a book: flows of capital, proceeds, approvals, repair, closed trades, the kill switch."""
