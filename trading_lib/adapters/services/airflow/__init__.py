"""Airflow as a service: server, settings, REST client, backfills."""
