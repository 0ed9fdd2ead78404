"""The learners, their native files, and the untrained baselines they are judged beside."""
