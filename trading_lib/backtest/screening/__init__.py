"""Fast screening of many configurations: market-only target weights, valued together by vectorbt."""
