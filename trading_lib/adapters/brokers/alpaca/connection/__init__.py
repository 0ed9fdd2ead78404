"""The connection to Alpaca: keys, the HTTP session and the client on it, and the stream of order updates."""
