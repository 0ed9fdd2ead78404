"""Users' strategies from files: loading, time limits, separate processes, and a watch on forbidden actions."""
