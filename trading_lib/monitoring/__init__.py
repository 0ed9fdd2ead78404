"""What a person should know of: messages, and the door through which they leave."""
