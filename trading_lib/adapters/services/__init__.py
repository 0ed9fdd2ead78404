"""Services of the local stack: process control of PostgreSQL, MLflow and Airflow under one home folder.

Inputs are environment variables and a home folder; the output is a running stack with its addresses. Airflow
itself is never imported here: it is started as a program and spoken to by its REST interface.
"""
