"""MLflow: logging runs, reading trials, views of its pages, and its server."""
