"""Handles on Dagster and MLflow."""
