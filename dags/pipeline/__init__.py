"""What the DAGs share: forms, retries, alerts of failures, links. It holds no DAG itself."""
