"""What keeps the services of the stack alive: a supervisor, and what each of its programs does before it starts."""
