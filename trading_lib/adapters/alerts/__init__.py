"""What carries messages: notifiers of users' own, and a file where nothing else does."""
