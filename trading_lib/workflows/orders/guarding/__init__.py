"""What keeps orders back before they reach a real broker: guards, arming, availability, the kill switch's limits."""
