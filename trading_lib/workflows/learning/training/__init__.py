"""The steps of a training, one after another in one process or as tasks of a DAG."""
