"""Sources that vendors serve over the network: Polygon, Tiingo, Yahoo Finance, Binance, Bybit, FRED, CFTC."""
