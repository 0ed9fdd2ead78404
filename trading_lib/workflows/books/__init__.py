"""Operations on a book: flows of capital, proceeds, approvals, repair, arming, closed trades, the kill switch."""
