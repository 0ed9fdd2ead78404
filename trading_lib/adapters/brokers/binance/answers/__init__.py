"""What Binance answers, read strictly: meanings, amounts, orders, balances, markets."""
